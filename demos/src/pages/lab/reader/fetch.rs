use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response, window};

/// A request. Dropping it aborts it, wherever it is.
pub(super) struct Fetch {
    abort: AbortController,
    response: Response,
}

/// A request failed. The browser gives no reason.
#[derive(Debug)]
pub(in crate::pages::lab) struct Failed;

impl From<JsValue> for Failed {
    fn from(_: JsValue) -> Self {
        Self
    }
}

struct Abort(Option<AbortController>);

impl Fetch {
    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(url: &str, body: Option<&str>) -> Result<Self, Failed> {
        let mut abort = Abort(Some(AbortController::new()?));
        let init = RequestInit::new();
        init.set_signal(abort.0.as_ref().map(AbortController::signal).as_ref());
        if let Some(body) = body {
            // A text needs no preflight: nothing is asked that a form could not ask.
            init.set_method("POST");
            init.set_body(&JsValue::from_str(body));
        }
        let window = window().ok_or(Failed)?;
        let response: Response = JsFuture::from(window.fetch_with_str_and_init(url, &init)).await?.dyn_into()?;
        let abort = abort.0.take().filter(|_| response.ok()).ok_or(Failed)?;
        Ok(Self { abort, response })
    }

    pub(super) async fn text(self) -> Result<String, Failed> {
        JsFuture::from(self.response.text()?).await?.as_string().ok_or(Failed)
    }

    /// What takes the body out, chunk by chunk.
    pub(super) fn chunks(&self) -> Result<Chunks, Failed> {
        let body = self.response.body().ok_or(Failed)?;
        Ok(Chunks(body.get_reader().dyn_into().map_err(|_| Failed)?))
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortController::abort);
    }
}

/// A body that arrives bit by bit.
pub(super) struct Chunks(ReadableStreamDefaultReader);

impl Chunks {
    /// `None` at the end.
    pub(super) async fn next(&self) -> Result<Option<Vec<u8>>, Failed> {
        let read = JsFuture::from(self.0.read()).await?;
        let is_done = Reflect::get(&read, &"done".into())?.is_truthy();
        let value = Reflect::get(&read, &"value".into())?;
        Ok((!is_done).then(|| Uint8Array::new(&value).to_vec()))
    }
}

/// The text at an address.
pub(in crate::pages::lab) async fn get_text(url: &str) -> Result<String, Failed> {
    Fetch::send(url, None).await?.text().await
}

/// Sends a text, and waits until the server has it.
pub(in crate::pages::lab) async fn post(url: &str, body: &str) -> Result<(), Failed> {
    Fetch::send(url, Some(body)).await?.text().await.map(|_| ())
}
