use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::{HandshakeError, Permit};
use tower_http::services::ServeFile;
use tower_service::Service;

use super::disk::FileId;
use super::inventory::FileInfo;
use super::name::FileName;
use crate::companion::Companion;
use crate::cross_origin::readable_by;
use crate::protocol::FILES;

/// Serves a file, whole or in part, in a way that browsers never display or run it as a page of this server.
pub(super) async fn answer(State(companion): State<Companion>, Path(id): Path<String>, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = request.into_parts();
    match permits(&companion, &parts) {
        Ok([connection, file]) => {
            let mut response = serve(&companion, &id, Request::from_parts(parts, body)).await;
            let readable = HeaderValue::from_static("Content-Disposition, Content-Range, ETag, Accept-Ranges");
            response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
            readable_by(origin, connection.hold(file.hold(response)))
        }
        Err(error) => {
            companion.everwire().endpoint_metrics(FILES).record_drop(error.reason());
            readable_by(origin, error.into_response())
        }
    }
}

/// The permits that a response holds until it has been read: for a connection and for an open file.
fn permits(companion: &Companion, request: &Parts) -> Result<[Permit; 2], HandshakeError> {
    let everwire = companion.everwire();
    everwire.check_origin(request)?;
    Ok([everwire.admit(request)?, everwire.open_file(request)?])
}

async fn serve(companion: &Companion, id: &str, mut request: Request) -> Response {
    let Some((info, path)) = FileId::parse(id).and_then(|id| companion.files().find(id)) else {
        let sentence = "There is no such file; files are kept for a while only. Ask its sender for it again.\n";
        return (StatusCode::NOT_FOUND, sentence).into_response();
    };
    let tag = format!("\"{}\"", info.sha256);
    let headers = request.headers_mut();
    if names(headers, header::IF_NONE_MATCH, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    // The checksum decides; times would repeat it less exactly.
    headers.remove(header::IF_MODIFIED_SINCE);
    headers.remove(header::IF_UNMODIFIED_SINCE);
    // A part of another file would be worse than the whole of this one (RFC 9110 section 13.1.5).
    if headers.contains_key(header::IF_RANGE) && !names(headers, header::IF_RANGE, &tag) {
        headers.remove(header::RANGE);
    }
    let (parts, _) = request.into_parts();
    let Ok(response) = ServeFile::new(path).call(Request::from_parts(parts, Body::empty())).await;
    let mut response = response.into_response();
    if response.status() == StatusCode::NOT_FOUND {
        return (StatusCode::NOT_FOUND, "The file has just expired.\n").into_response();
    }
    describe(response.headers_mut(), &info, &tag);
    response
}

fn describe(headers: &mut HeaderMap, info: &FileInfo, tag: &str) {
    let fixed = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(header::ETAG, tag), (header::CONTENT_DISPOSITION, &attachment(&info.name))] {
        let value = HeaderValue::from_str(value).expect("hex digits and percent signs are visible ASCII");
        headers.insert(name, value);
    }
}

/// The name to save the file under (RFC 6266): in ASCII for old programs, and in full.
fn attachment(name: &FileName) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || " .-_()".contains(char);
    let ascii: String = name.as_str().chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    let mut full = String::new();
    for byte in name.as_str().bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'_' => full.push(char::from(byte)),
            _ => full.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

fn names(headers: &HeaderMap, header: HeaderName, tag: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim() == tag || value.trim() == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let name = FileName::parse("a'; x=\u{fc} 100%.txt").unwrap();
        assert_eq!(
            attachment(&name),
            "attachment; filename=\"a__ x__ 100_.txt\"; filename*=UTF-8''a%27%3B%20x%3D%C3%BC%20100%25.txt"
        );
    }
}
