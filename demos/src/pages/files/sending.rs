use std::cell::RefCell;

use web_sys::File;

use super::checksum::Checksum;
use super::courier::Courier;
use super::reading::{self, Unreadable};
use super::wire::{CHUNK_HEADER, chunk};

/// How much is read from a file at once. Its checksum takes a few milliseconds, so that the page stays quick.
const BLOCK: u64 = 1 << 20;

/// Why sending stops before the end. A lost connection is none: the job is stopped then, and another one follows.
enum Stopped {
    Unreadable,
    Closed,
}

impl From<Unreadable> for Stopped {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// Sends a file from where the server wants it to its end, as fast as the window and the connection let it.
pub(super) async fn send(courier: &Courier, id: u32, stream: u32, file: &File, checksum: &RefCell<Checksum>) {
    match send_all(courier, id, stream, file, checksum).await {
        Ok(()) => {
            let sha256 = checksum.borrow().finish();
            courier.change(|desk| desk.all_sent(id, stream, sha256));
        }
        Err(Stopped::Unreadable) => courier.change(|desk| desk.unreadable(id)),
        // The desk hears of it as an event.
        Err(Stopped::Closed) => {}
    }
}

async fn send_all(
    courier: &Courier,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
) -> Result<(), Stopped> {
    catch_up(courier, id, stream, file, checksum).await?;
    loop {
        let next = courier.until(|desk| {
            let transfer = desk.transfer(id).filter(|transfer| transfer.stream == stream)?;
            let flow = transfer.flow;
            let end = flow.is_all_sent().then_some(None);
            end.or_else(|| flow.next(BLOCK).map(|range| Some((range, flow.chunk()))))
        });
        let Some((range, most)) = next.await else { return Ok(()) };
        let block = reading::block(file, &range).await?;
        let mut offset = range.start;
        while offset < range.end {
            let size = most.min(range.end - offset);
            let mut message = chunk(stream, offset, size as usize);
            let from = (offset - range.start) as u32;
            block.subarray(from, from + size as u32).copy_to(&mut message[CHUNK_HEADER..]);
            checksum.borrow_mut().update(offset, &message[CHUNK_HEADER..]);
            let handle = courier.handle().ok_or(Stopped::Closed)?;
            handle.ready().await.map_err(|_| Stopped::Closed)?;
            handle.send(message).map_err(|_| Stopped::Closed)?;
            offset += size;
            courier.change(|desk| {
                desk.sent(id, stream, offset);
                vec![]
            });
        }
    }
}

/// Reads what the server has already, where the checksum has not seen it: the page was loaded anew.
async fn catch_up(
    courier: &Courier,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
) -> Result<(), Stopped> {
    let start = courier.desk().transfer(id).map_or(0, |transfer| transfer.flow.sent());
    while checksum.borrow().position() < start {
        let position = checksum.borrow().position();
        let range = position..start.min(position + BLOCK);
        let bytes = reading::block(file, &range).await?.to_vec();
        checksum.borrow_mut().update(position, &bytes);
        courier.change(|desk| {
            desk.checked(id, stream, range.end);
            vec![]
        });
    }
    Ok(())
}
