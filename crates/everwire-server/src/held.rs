use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::limits::Permit;

/// The body of an answer that keeps its places until it is written, or its reader has gone.
struct Held<const N: usize> {
    body: Body,
    _permits: [Arc<Permit>; N],
}

/// Gives an answer the places that it takes: among the connections, among the open files.
pub(crate) fn held<const N: usize>(response: Response, permits: [Arc<Permit>; N]) -> Response {
    response.map(|body| Body::new(Held { body, _permits: permits }))
}

impl<const N: usize> HttpBody for Held<N> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
