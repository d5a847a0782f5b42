use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::{ServeDir, ServeFile};
use tower_service::Service;

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
        let file = ServeDir::new(&self.folder).call(Request::from_parts(parts.clone(), Body::empty()));
        match file.await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND && is_page => {
                self.index(Request::from_parts(parts, Body::empty())).await
            }
            Ok(response) => checked_each_time(response.into_response()),
        }
    }

    /// Serves the application's page.
    pub(crate) async fn index(&self, request: Request) -> Response {
        let file = ServeFile::new(self.folder.join("index.html")).call(request);
        match file.await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                let folder = self.folder.display();
                (StatusCode::NOT_FOUND, format!("{folder} has no index.html; build the pages first.\n")).into_response()
            }
            Ok(response) => checked_each_time(response.into_response()),
        }
    }
}

fn is_page(request: &Request) -> bool {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    matches!(*request.method(), Method::GET | Method::HEAD) && !last.contains('.')
}

/// Lets a browser keep a file but ask each time whether it changed, so that a new build shows at once.
fn checked_each_time(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
