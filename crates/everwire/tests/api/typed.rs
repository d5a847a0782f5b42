//! Typed sockets: a codec of the application, and JSON.

use core::cell::Cell;

use everwire::{
    Event, Message, MessageRef, SendError, Socket, TypedSendError, TypedSocket,
    codec::{Decoder, Encoder},
};
use futures_util::{SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{TestServer, within};

/// Postcard in binary messages; an empty text is an error of the codec's own.
#[derive(Debug, Default)]
struct Postcard {
    decoded: Cell<u32>,
}

impl<T: Serialize> Encoder<T> for Postcard {
    type Error = postcard::Error;

    fn encode(&self, value: &T) -> Result<Message, postcard::Error> {
        postcard::to_stdvec(value).map(Message::Binary)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Postcard {
    type Error = String;

    fn decode(&self, message: MessageRef<'_>) -> Result<T, String> {
        self.decoded.set(self.decoded.get() + 1);
        match message {
            MessageRef::Binary(bytes) => postcard::from_bytes(bytes).map_err(|error| error.to_string()),
            other => Err(format!("{other:?} of {} bytes", other.len())),
        }
    }
}

type Pair = (u32, String);

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn values_go_out_and_come_in_as_the_codec_writes_and_reads_them() {
    let server = TestServer::start().await;
    let mut socket = TypedSocket::<Pair, Pair, Postcard>::open(server.url("/echo")).unwrap();
    for text in ["", "short", &"long ".repeat(40_000), "short again"] {
        let pair = (7, text.to_owned());
        socket.send(&pair).unwrap();
        assert_eq!(within("the pair came back", socket.recv()).await.unwrap().unwrap(), pair);
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_the_codec_does_not_read_is_its_own_error_and_ends_nothing() {
    let server = TestServer::start().await;
    let socket = Socket::open(server.url("/echo")).unwrap();
    let handle = socket.handle().clone();
    let mut socket = socket.typed::<u32, u32, _>(Postcard::default());
    handle.send("hi").unwrap();
    handle.send(Vec::new()).unwrap();
    socket.send(&300).unwrap();
    let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
    assert_eq!(error, r#"Text("hi") of 2 bytes"#);
    let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
    assert!(error.contains("end"), "{error}");
    assert_eq!(within("a value came", socket.recv()).await.unwrap(), Ok(300));
    assert_eq!(socket.codec().decoded.get(), 3);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_value_that_cannot_be_sent_is_an_error_of_the_codec_or_of_the_socket() {
    /// A sequence whose length is unknown when it begins, for which postcard has no form.
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde::ser::SerializeSeq::end(serializer.serialize_seq(None)?)
        }
    }

    let server = TestServer::start().await;
    let socket = Socket::builder(server.url("/echo")).open_typed::<Endless, u32, _>(Postcard::default()).unwrap();
    let error = socket.send(&Endless).unwrap_err();
    assert_eq!(error, TypedSendError::Encode(postcard::Error::SerializeSeqLengthUnknown));
    let socket = socket.into_socket().typed::<u32, u32, _>(Postcard::default());
    within("the connection closed", socket.close()).await;
    assert!(matches!(socket.send(&1), Err(TypedSendError::Send(SendError::Closed(_)))));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn it_is_a_stream_of_events_and_a_sink_of_values() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap().typed::<u32, u32, _>(Postcard::default());
    within("the value was sent", SinkExt::send(&mut socket, 41)).await.unwrap();
    loop {
        if let Event::Message(value) = within("a value came", socket.next()).await.unwrap().unwrap() {
            break assert_eq!(value, 41);
        }
    }
}

#[cfg(feature = "json")]
mod json {
    use everwire::{Event, JsonDecodeError, JsonSocket, Socket};
    use futures_util::{SinkExt, StreamExt};
    use serde::{Deserialize, Serialize};
    use wasm_bindgen_test::wasm_bindgen_test;

    use crate::support::{TestServer, within};

    #[derive(Serialize)]
    struct ClockRequest {
        client_time: f64,
    }

    #[derive(Deserialize, Debug)]
    struct ClockResponse {
        client_time: f64,
        server_time: f64,
    }

    #[wasm_bindgen_test(unsupported = tokio::test)]
    async fn values_go_out_and_come_in() {
        let server = TestServer::start().await;
        let mut socket = JsonSocket::<ClockRequest, ClockResponse>::open(server.url("/clock")).unwrap();
        socket.send(&ClockRequest { client_time: 12.5 }).unwrap();
        let answer = within("an answer came", socket.recv()).await.unwrap().unwrap();
        assert_eq!(answer.client_time, 12.5);
        assert!(answer.server_time > 1.7e12);
    }

    #[wasm_bindgen_test(unsupported = tokio::test)]
    async fn what_is_not_of_the_type_is_an_error_that_shows_the_text_and_ends_nothing() {
        let server = TestServer::start().await;
        let socket = Socket::open(server.url("/echo")).unwrap();
        let handle = socket.handle().clone();
        let mut socket = socket.json::<(), Vec<u32>>();
        for text in [r#"{"surprise":true}"#, "[1,2,3]"] {
            handle.send(text).unwrap();
        }
        handle.send(vec![1_u8, 2]).unwrap();
        handle.send("[4]").unwrap();
        let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
        assert!(error.to_string().contains(r#"the text starts: {"surprise":true}"#), "{error}");
        assert_eq!(within("a value came", socket.recv()).await.unwrap().unwrap(), [1, 2, 3]);
        let error = within("the error came", socket.recv()).await.unwrap().unwrap_err();
        assert!(matches!(error, JsonDecodeError::NotText { bytes: 2 }), "{error:?}");
        assert_eq!(within("a value came", socket.recv()).await.unwrap().unwrap(), [4]);
    }

    #[wasm_bindgen_test(unsupported = tokio::test)]
    async fn it_is_a_stream_of_events_and_a_sink_of_values() {
        let server = TestServer::start().await;
        let (mut sink, stream) = Socket::open(server.url("/echo")).unwrap().json::<u32, u32>().split();
        let values = stream.filter_map(|event| async {
            match event.unwrap() {
                Event::Message(value) => Some(value),
                _ => None,
            }
        });
        let sending = async { sink.send(41).await.unwrap() };
        let (values, ()) =
            within("a value came", futures_util::future::join(values.take(1).collect::<Vec<_>>(), sending)).await;
        assert_eq!(values, [41]);
    }

    #[wasm_bindgen_test(unsupported = tokio::test)]
    async fn texts_of_any_length_and_script_are_decoded_one_after_the_other() {
        let server = TestServer::start().await;
        let mut socket = JsonSocket::<String, String>::open(server.url("/echo")).unwrap();
        let texts = [
            "Grüße, 世界, 🦀. ".repeat(10_000),
            "short".to_owned(),
            format!("{}🦀", "x".repeat(1_000)),
            "x".repeat(500),
            String::new(),
        ];
        for text in &texts {
            socket.send(text).unwrap();
        }
        for text in &texts {
            assert_eq!(&within("a text", socket.recv()).await.unwrap().unwrap(), text);
        }
    }
}
