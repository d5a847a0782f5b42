use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::{ServeDir, ServeFile};

/// A built single page application.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    folder: PathBuf,
}

impl Pages {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Serves a file; where there is none, a path without a file extension is a page of the application, which
    /// shows itself, and one with an extension is a mistake.
    pub(crate) async fn serve(&self, request: Request) -> Response {
        let is_page = is_page(&request);
        let (parts, _) = request.into_parts();
        let mut files = ServeDir::new(&self.folder);
        let response = files.try_call(Request::from_parts(parts.clone(), Body::empty())).await;
        let response = match response {
            Ok(response) if response.status() == StatusCode::NOT_FOUND && is_page => {
                return self.index(Request::from_parts(parts, Body::empty())).await;
            }
            Ok(response) => response.into_response(),
            Err(error) => unreadable(&error),
        };
        checked_each_time(response)
    }

    /// Serves the application's page.
    pub(crate) async fn index(&self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        parts.uri = Uri::from_static("/");
        let response =
            ServeFile::new(self.folder.join("index.html")).try_call(Request::from_parts(parts, Body::empty()));
        checked_each_time(match response.await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                let folder = self.folder.display();
                (StatusCode::NOT_FOUND, format!("{folder} has no index.html; build the pages first.\n")).into_response()
            }
            Ok(response) => response.into_response(),
            Err(error) => unreadable(&error),
        })
    }
}

fn is_page(request: &Request) -> bool {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    matches!(*request.method(), Method::GET | Method::HEAD) && !last.contains('.')
}

fn unreadable(error: &std::io::Error) -> Response {
    tracing::warn!(%error, "cannot read a page");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Lets a browser keep a file but ask each time whether it changed, so that a new build shows at once.
fn checked_each_time(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
