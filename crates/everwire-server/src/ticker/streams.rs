use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::selection::Selection;
use super::stream::Stream;
use crate::Everwire;
use crate::metrics::DropReason;
use crate::refusal::Refusal;

/// The streams that play, one for each selection that somebody subscribes to or recently did.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    playing: Arc<Mutex<Playing>>,
}

#[derive(Debug, Default)]
struct Playing {
    streams: HashMap<Selection, Arc<Stream>>,
    started: u64,
}

impl Streams {
    /// The stream of a selection, started if it does not play yet.
    pub(super) fn find_or_start(&self, everwire: &Everwire, selection: &Selection) -> Result<Arc<Stream>, Refusal> {
        let mut playing = lock(&self.playing);
        if let Some(stream) = playing.streams.get(selection) {
            return Ok(Arc::clone(stream));
        }
        let config = everwire.config();
        let most = config.limits.streams;
        if playing.streams.len() >= most {
            let sentence = format!("All {most} ticker streams are taken; choose symbols and a rate that others use.");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::StreamsFull, sentence));
        }
        playing.started += 1;
        let epoch = format!("{:x}-{:x}", (config.clock.now_ms() * 1000.0) as u64, playing.started);
        let feed = config.feed.start(selection);
        let stream = Arc::new(Stream::new(feed.as_ref(), epoch, config.clock.clone()));
        playing.streams.insert(selection.clone(), Arc::clone(&stream));
        drop(playing);

        let linger = config.stream_linger;
        let (everwire, played) = (everwire.clone(), Arc::clone(&stream));
        let (playing, selection) = (Arc::clone(&self.playing), selection.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = played.play(feed, linger, || remove(&playing, &selection)) => {}
                () = everwire.drain_state().finished() => {}
            }
        });
        Ok(stream)
    }
}

/// Takes a stream out unless somebody uses it. The map holds it and the task that plays it does; a subscriber holds
/// it too, from the moment that it found it under this lock.
fn remove(playing: &Mutex<Playing>, selection: &Selection) -> bool {
    let mut playing = lock(playing);
    let unused = playing.streams.get(selection).is_none_or(|stream| Arc::strong_count(stream) <= 2);
    if unused {
        playing.streams.remove(selection);
    }
    unused
}

fn lock(playing: &Mutex<Playing>) -> MutexGuard<'_, Playing> {
    playing.lock().unwrap_or_else(PoisonError::into_inner)
}
