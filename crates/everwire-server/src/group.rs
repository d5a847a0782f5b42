//! State that many connections share, and fan-out of its changes.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::connection::{Connection, Frames, FramesMut};
use crate::fan_out::{FanOut, Source};
use crate::message::Message;

/// State that many connections share, with fan-out of its changes to all of them.
///
/// One lock covers the state and the list of members. A new member therefore misses no change between the state that it is shown and its
/// first message, and all members receive the changes in the same order.
///
/// Changes are delivered in batches: while one batch goes from member to member, everything that is enqueued is pending and becomes the
/// next batch, which is encoded once and takes one write per member. Nothing is written under the lock; a single flush task at a time
/// keeps the order.
///
/// A clone is cheap and is the same group. A [`Handler`](crate::Handler) that publishes should report
/// [`poll_ready`](Self::poll_ready) as its own, so that members that publish faster than the others can be sent to are slowed down:
///
/// ```
/// use std::task::{Context, Poll};
///
/// use everwire_server::{Connection, Group, Handler, Membership, Message};
///
/// /// Sends every message to everyone, the sender included.
/// struct Chat(Membership<()>);
///
/// impl Chat {
///     fn new(group: &Group<()>, connection: &Connection) -> Self {
///         Self(group.join(connection, |_, _| ["Welcome!".into()]))
///     }
/// }
///
/// impl Handler for Chat {
///     fn on_message(&mut self, message: Message) {
///         self.0.group().enqueue(|_, _| Some(message));
///     }
///
///     fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
///         self.0.group().poll_ready(context)
///     }
///
///     fn on_batch_end(&mut self) {
///         self.0.group().flush();
///     }
/// }
/// ```
pub struct Group<T> {
    fan_out: Arc<FanOut<SharedState<T>>>,
}

/// What the members share, and the messages about it that are not part of a batch yet.
struct SharedState<T> {
    state: T,
    pending: FramesMut,
}

/// A connection's membership in a group. Dropping it leaves the group.
#[must_use = "dropping the membership leaves the group"]
pub struct Membership<T> {
    group: Group<T>,
    number: u64,
    connection: Connection,
}

impl<T: Send + 'static> Group<T> {
    /// A group without members.
    pub fn new(state: T) -> Self {
        Self { fan_out: Arc::new(FanOut::new(SharedState { state, pending: FramesMut::default() })) }
    }

    /// Adds a member. `welcome` is given the state and the new member's number, and returns the first messages that the member receives.
    /// It runs under the lock of the group, as the closures of the other methods do: it must return quickly, and not use the group.
    pub fn join<M>(&self, connection: &Connection, welcome: impl FnOnce(&T, u64) -> M) -> Membership<T>
    where
        M: IntoIterator<Item = Message>,
    {
        let mut group = self.fan_out.lock();
        let number = group.next_number();
        let messages = welcome(&group.source().state, number);
        messages.into_iter().for_each(|message| connection.send(message));
        // `welcome` has seen the state with the changes that are pending: they are not sent to the new member as well.
        let number = group.join(Arc::clone(connection.queue()), ());
        Membership { group: self.clone(), number, connection: connection.clone() }
    }

    /// Changes the state and sends the message that `change` returns to all members. `change` is given the state and the number
    /// of members.
    pub fn update(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.enqueue(change);
        self.flush();
    }

    /// Sends a message to all members.
    pub fn publish(&self, message: impl Into<Message>) {
        self.update(|_, _| Some(message.into()));
    }

    /// Like [`update`](Self::update), but the message waits for [`flush`](Self::flush), so that changes that come together are
    /// sent together.
    pub fn enqueue(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut group = self.fan_out.lock();
        let members = group.members();
        let SharedState { state, pending } = group.source_mut();
        if let Some(message) = change(state, members) {
            pending.push(&message);
            group.seal_if_full();
        }
    }

    /// Sends all members what is pending, whichever connection enqueued it. Returns at once; the flush task does the work.
    pub fn flush(&self) {
        self.fan_out.flush();
    }
}

impl<T> Group<T> {
    /// Reads or changes the state without a message to the members.
    pub fn with_state<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.fan_out.lock().source_mut().state)
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.fan_out.lock().members()
    }

    /// Ready while the group is below its high-water mark: 4 MiB that wait behind what is being sent. Otherwise the context's waker is
    /// woken once it is.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.fan_out.poll_ready(context)
    }

    /// Whether [`poll_ready`](Self::poll_ready) would be ready now, for a publisher that prefers to skip a message rather than wait.
    pub fn is_ready(&self) -> bool {
        self.fan_out.has_room()
    }
}

impl<T> Source for SharedState<T> {
    type Member = ();
    type Position = ();

    fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    fn take_pending(&mut self) -> Option<((), Frames)> {
        (!self.pending.is_empty()).then(|| ((), self.pending.take()))
    }

    /// Never called: a member that misses messages could not recover them, so its connection is closed when its queue is full.
    fn fell_behind((): (), (): ()) {}
}

impl<T> Membership<T> {
    /// The member's number: 1 for the first, and never used again.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The group of this membership.
    pub fn group(&self) -> &Group<T> {
        &self.group
    }

    /// The member's connection, to send to it alone.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl<T> Clone for Group<T> {
    fn clone(&self) -> Self {
        Self { fan_out: Arc::clone(&self.fan_out) }
    }
}

impl<T: Default + Send + 'static> Default for Group<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.members()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Membership<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("number", &self.number).field("group", &self.group).finish_non_exhaustive()
    }
}

impl<T> Drop for Membership<T> {
    fn drop(&mut self) {
        self.group.fan_out.leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::yield_now;

    use super::*;
    use crate::connection::{OutboundQueue, Tcp};
    use crate::everwire::Everwire;

    fn connection(limit: usize) -> Connection {
        Connection::new(Arc::new(OutboundQueue::new(limit)))
    }

    #[test]
    fn all_members_share_the_encoded_bytes() {
        let group = Group::new(());
        let connections = [(); 3].map(|()| connection(1000));
        let _memberships = connections.each_ref().map(|connection| group.join(connection, |_, _| []));
        group.update(|_, _| Some(Message::text("encoded once")));
        let addresses = connections.each_ref().map(|connection| connection.queue().pieces()[0].bytes().as_ptr());
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn pending_messages_leave_in_one_piece() {
        let group = Group::new(0);
        let connection = connection(1000);
        let _membership = group.join(&connection, |_, _| []);
        for _ in 0..8 {
            group.enqueue(|count, _| {
                *count += 1;
                Some(Message::text(count.to_string()))
            });
        }
        assert_eq!(connection.queued_bytes(), 0);
        group.flush();
        let pieces = connection.queue().pieces();
        assert_eq!((pieces.len(), pieces[0].messages()), (1, 8));
    }

    #[tokio::test]
    async fn a_publisher_leaves_delivery_to_the_flush_task() {
        let group = Group::new(());
        let connections: Vec<_> = (0..200).map(|_| connection(1000)).collect();
        let _memberships: Vec<_> = connections.iter().map(|connection| group.join(connection, |_, _| [])).collect();
        let waiting = || connections.iter().filter(|connection| connection.queued_bytes() > 0).count();
        group.update(|_, _| Some(Message::binary(vec![0; 5 << 20])));
        assert_eq!(waiting(), 0);
        while waiting() < 200 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_publisher_without_a_runtime_leaves_delivery_to_that_of_the_members() {
        let group = Group::new(());
        let connection = connection(1000);
        let _membership = group.join(&connection, |_, _| []);
        let publisher = group.clone();
        std::thread::spawn(move || publisher.publish("from a thread")).join().unwrap();
        assert_eq!(connection.queued_bytes(), 0, "this test has not yielded to the flush task yet");
        while connection.queued_bytes() == 0 {
            yield_now().await;
        }
    }

    #[test]
    fn a_flush_task_that_ends_with_its_runtime_is_replaced() {
        let group = Group::new(());
        let connection = connection(1000);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _membership = runtime.block_on(async { group.join(&connection, |_, _| []) });
        group.publish("never sent by this runtime");
        drop(runtime);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            group.publish("sent by this one");
            // The task yields twice.
            for _ in 0..10 {
                yield_now().await;
            }
        });
        assert_eq!(connection.queue().pieces().iter().map(|piece| piece.messages()).sum::<u64>(), 2);
    }

    #[tokio::test]
    async fn a_publisher_over_the_high_water_mark_waits_until_the_group_has_caught_up() {
        let group = Group::new(());
        let connection = connection(100 << 20);
        let _membership = group.join(&connection, |_, _| []);
        let publish = || group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut published = 0;
        while group.is_ready() {
            publish();
            published += 1;
        }
        assert!((5..8).contains(&published), "{published} messages");
        while !group.is_ready() {
            yield_now().await;
        }
        publish();
        while !group.fan_out.lock().is_empty() {
            yield_now().await;
        }
        let (messages, _) = connection.queue().drain_messages();
        assert_eq!(messages.len(), published + 1);
    }

    /// Many large writes in a row would delay every other task of the worker.
    #[tokio::test]
    async fn other_tasks_run_while_a_large_batch_is_written() {
        let environment = Everwire::default().environment("/", Default::default(), true);
        let group = Group::new(());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut members = Vec::new();
        for _ in 0..10 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let server = Tcp::new(listener.accept().await.unwrap().0);
            let queue = OutboundQueue::with_direct(10 << 20, server.direct_writer(&environment.metrics));
            let membership = group.join(&Connection::new(Arc::new(queue)), |_, _| []);
            members.push((client, server, membership));
        }
        group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut yields = 0;
        while !group.fan_out.lock().is_empty() {
            yield_now().await;
            yields += 1;
        }
        assert!(yields >= members.len(), "another task ran {yields} times");
    }

    #[test]
    fn a_new_member_is_not_sent_changes_that_its_first_message_contains() {
        let group = Group::new(0);
        let (old, new) = (connection(1000), connection(1000));
        let _old = group.join(&old, |_, _| []);
        group.enqueue(|count, _| {
            *count += 1;
            Some(Message::text("changed"))
        });
        let _new = group.join(&new, |count, _| [Message::text(count.to_string())]);
        group.flush();
        assert_eq!(old.queue().drain_messages().0, [Message::text("changed")]);
        assert_eq!(new.queue().drain_messages().0, [Message::text("1")]);
    }

    #[test]
    fn a_member_that_left_is_sent_nothing_more() {
        let group = Group::new(());
        let connection = connection(1000);
        drop(group.join(&connection, |_, _| [Message::text("welcome")]));
        group.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(connection.queue().drain_messages().0, [Message::text("welcome")]);
    }
}
