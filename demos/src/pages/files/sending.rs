use std::cell::RefCell;
use std::ops::Range;

use everwire_companion_api::files::ChunkHeader;
use web_sys::File;

use super::checksum::Checksum;
use super::controller::Controller;
use super::reading::{self, Unreadable};
use super::state::State;

/// How much is read from a file at once. Its checksum takes a few milliseconds, so that the page stays quick.
const BLOCK: u64 = 1 << 20;

/// Why sending stops before the end. A lost connection is no reason: it stops the task, and another one follows.
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
pub(super) async fn send(controller: &Controller, id: u32, stream: u32, file: &File, checksum: &RefCell<Checksum>) {
    match send_all(controller, id, stream, file, checksum).await {
        Ok(()) => {
            let sha256 = checksum.borrow().finish();
            controller.change(|state| state.all_sent(id, stream, sha256));
        }
        Err(Stopped::Unreadable) => controller.change(|state| state.unreadable(id)),
        // The state gets an event about it.
        Err(Stopped::Closed) => {}
    }
}

async fn send_all(
    controller: &Controller,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
) -> Result<(), Stopped> {
    let Some(flow) = controller.state().transfer(id).map(|transfer| transfer.flow) else { return Ok(()) };
    checksum.borrow_mut().begin(flow.sent());
    catch_up(controller, id, stream, file, checksum, flow.sent()).await?;
    let mut range = block_at(flow.sent(), flow.size());
    let mut reading = reading::block(file, &range);
    while !range.is_empty() {
        let block = reading.await?;
        // The next one is read while this one is sent.
        let next = block_at(range.end, flow.size());
        reading = reading::block(file, &next);
        let mut offset = range.start;
        while offset < range.end {
            let most = controller.until(|state| room(state, id, stream, range.end - offset)).await;
            let mut message = vec![0; ChunkHeader::SIZE + most as usize];
            let (header, bytes) = message.split_at_mut(ChunkHeader::SIZE);
            header.copy_from_slice(&ChunkHeader { stream, offset }.to_bytes());
            let from = (offset - range.start) as u32;
            block.subarray(from, from + most as u32).copy_to(bytes);
            checksum.borrow_mut().update(offset, bytes);
            let handle = controller.handle().ok_or(Stopped::Closed)?;
            handle.ready().await.map_err(|_| Stopped::Closed)?;
            handle.send(message).map_err(|_| Stopped::Closed)?;
            offset += most;
            controller.change(|state| {
                state.sent(id, stream, offset);
                vec![]
            });
        }
        range = next;
    }
    Ok(())
}

fn block_at(start: u64, size: u64) -> Range<u64> {
    start..size.min(start + BLOCK)
}

/// How much of what is left of a block can go in one message now.
fn room(state: &State, id: u32, stream: u32, left: u64) -> Option<u64> {
    let flow = state.transfer(id).filter(|transfer| transfer.stream == stream)?.flow;
    let next = flow.next(flow.chunk().min(left))?;
    Some(next.end - next.start)
}

/// Reads what the server has already, up to where the rest starts, where the checksum has not seen it: the page was loaded anew.
async fn catch_up(
    controller: &Controller,
    id: u32,
    stream: u32,
    file: &File,
    checksum: &RefCell<Checksum>,
    start: u64,
) -> Result<(), Stopped> {
    while checksum.borrow().position() < start {
        let position = checksum.borrow().position();
        let range = position..start.min(position + BLOCK);
        let bytes = reading::block(file, &range).await?.to_vec();
        checksum.borrow_mut().update(position, &bytes);
        controller.change(|state| {
            state.checked(id, stream, range.end);
            vec![]
        });
    }
    Ok(())
}
