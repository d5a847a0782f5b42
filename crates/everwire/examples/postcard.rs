//! Typed messages in a format other than JSON: a codec for postcard, a compact binary format of serde.
//!
//! ```sh
//! cargo run -p everwire-companion &
//! cargo run -p everwire --example postcard
//! ```

mod common;

use std::error::Error;

use everwire::{
    Message, MessageRef, TypedSocket,
    codec::{Decoder, Encoder},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Debug, Default)]
struct Postcard;

impl<T: Serialize> Encoder<T> for Postcard {
    type Error = postcard::Error;

    fn encode(&self, value: &T) -> Result<Message, postcard::Error> {
        postcard::to_stdvec(value).map(Message::Binary)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Postcard {
    type Error = postcard::Error;

    fn decode(&self, message: MessageRef<'_>) -> Result<T, postcard::Error> {
        match message {
            MessageRef::Binary(bytes) => postcard::from_bytes(bytes),
            // This server sends no texts. For one that does, the codec should have its own error.
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Circle { radius: f32 },
    Rectangle { width: f32, height: f32 },
}

pub(crate) async fn run(url: String) -> Result<(), Box<dyn Error>> {
    let mut socket = TypedSocket::<Shape, Shape, Postcard>::open(url)?;
    let shapes = [Shape::Circle { radius: 1.5 }, Shape::Rectangle { width: 2.0, height: 3.0 }];
    for shape in &shapes {
        socket.send(shape)?;
        common::print(&format!("received {:?}", socket.recv().await.ok_or("the connection is over")??));
    }
    socket.close().await;
    Ok(())
}

fn main() {
    common::start("ws://127.0.0.1:9001/echo", run);
}
