use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, DefaultServeDirFallback, TokioBackend, TokioFile};

use crate::companion::Companion;

/// The shortest run of hexadecimal digits in a file name that counts as a hash of the content. Trunk writes 16 without leading zeros.
const HASH: usize = 12;

/// A built single page application.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    folder: PathBuf,
}

impl Pages {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Serves a file. If there is none, a path without a file extension is a page of the application, and one with an extension is
    /// not found.
    pub(crate) async fn serve(&self, companion: &Companion, request: Request) -> Response {
        with_room(companion, request, async |request| self.file(request).await).await
    }

    /// Serves the application's page.
    pub(crate) async fn index(&self, companion: &Companion, request: Request) -> Response {
        with_room(companion, request, async |request| self.page(request).await).await
    }

    async fn file(&self, request: Request) -> Response {
        let (is_page, is_hashed, folder_location) = (is_page(&request), is_hashed(&request), folder_location(&request));
        let (parts, _) = request.into_parts();
        match self.files().try_call(Request::from_parts(parts.clone(), Body::empty())).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND && is_page => {
                self.page(Request::from_parts(parts, Body::empty())).await
            }
            Ok(mut response) => {
                // The service does not know the path that it is nested under, nor how browsers treat two slashes.
                if let Some(location) = response.headers_mut().get_mut(header::LOCATION) {
                    *location = folder_location;
                }
                let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
                cached(response.into_response(), is_hashed && is_there)
            }
            Err(error) if is_missing(&error) && is_page => self.page(Request::from_parts(parts, Body::empty())).await,
            Err(error) => failed(&error),
        }
    }

    fn files(&self) -> ServeDir<DefaultServeDirFallback, RegularFiles> {
        let files = ServeDir::with_backend(&self.folder, RegularFiles(TokioBackend));
        files.precompressed_br().precompressed_gzip()
    }

    async fn page(&self, mut request: Request) -> Response {
        *request.uri_mut() = Uri::from_static("/index.html");
        match self.files().try_call(request).await {
            Ok(response) => cached(response.into_response(), false),
            Err(error) if is_missing(&error) => {
                let folder = self.folder.display();
                (StatusCode::NOT_FOUND, format!("{folder} has no index.html; build the pages first.\n")).into_response()
            }
            Err(error) => failed(&error),
        }
    }
}

/// Serves regular files only. Opening a pipe would block a thread until it has a writer.
#[derive(Clone, Debug)]
struct RegularFiles(TokioBackend);

impl Backend for RegularFiles {
    type File = TokioFile;
    type Metadata = Metadata;
    type OpenFuture = Pin<Box<dyn Future<Output = io::Result<TokioFile>> + Send>>;
    type MetadataFuture = <TokioBackend as Backend>::MetadataFuture;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let files = self.0.clone();
        Box::pin(async move {
            if !files.metadata(path.clone()).await?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            files.open(path).await
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        self.0.metadata(path)
    }
}

/// Serves a file if the connection, and the number of open files, are within their limits.
async fn with_room(companion: &Companion, request: Request, serve: impl AsyncFnOnce(Request) -> Response) -> Response {
    let (parts, body) = request.into_parts();
    let everwire = companion.everwire();
    match everwire.check_admitted(&parts).and_then(|()| everwire.open_file(&parts)) {
        Ok(permit) => permit.hold(serve(Request::from_parts(parts, body)).await),
        Err(error) => error.into_response(),
    }
}

fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidInput)
}

fn failed(error: &io::Error) -> Response {
    // A name that is too long cannot be that of a file.
    if is_missing(error) || error.kind() == io::ErrorKind::InvalidFilename {
        return cached((StatusCode::NOT_FOUND, "There is no such file.\n").into_response(), false);
    }
    tracing::warn!(%error, "cannot read a page");
    (StatusCode::INTERNAL_SERVER_ERROR, "The server cannot read the file; its log says why.\n").into_response()
}

fn is_page(request: &Request) -> bool {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    matches!(*request.method(), Method::GET | Method::HEAD) && !last.contains('.')
}

/// Whether the file's name has a hash of its content in it, as builds write it: `app-0123456789abcdef_bg.wasm`.
fn is_hashed(request: &Request) -> bool {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    last.split(['-', '.', '_']).any(|part| {
        let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // A hash has both; dates have only digits, words only letters.
        let is_mixed = part.contains(|char: char| char.is_ascii_digit()) && part.contains(char::is_alphabetic);
        part.len() >= HASH && is_hex && is_mixed
    })
}

/// The location of a folder's page, for a request without the slash at its end. A location that begins with two slashes, or with a
/// backslash, would name another host.
fn folder_location(request: &Request) -> HeaderValue {
    let uri = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    let path = uri.path().trim_start_matches(['/', '\\']);
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    HeaderValue::from_str(&format!("/{path}/{query}")).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

/// Lets browsers cache a file: forever if its name contains a hash of its content. Otherwise they must revalidate it each time, so that
/// a new build shows at once.
fn cached(mut response: Response, is_immutable: bool) -> Response {
    let rule = if is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    response
}
