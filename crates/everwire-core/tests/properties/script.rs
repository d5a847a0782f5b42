use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Backoff, Config, Decision, DropCause, HeartbeatMode, Input, Network, OutboxLimits, Page, PingSchedule,
    ReconnectRules, Time, Watermarks, WhenFull,
};

/// The application opens the connection.
pub(crate) const OPEN: Input = Input::Open { since_last_dial: None };

/// A connection's settings and what happens to it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) config: Config,
    pub(crate) seed: u64,
    /// The settings are such as an application might choose, so that the rules about times hold as well.
    pub(crate) is_sane: bool,
    pub(crate) sends_on_open: bool,
    pub(crate) sends_while_acting: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Arbitrary)]
pub(crate) enum Step {
    Pass(Span),
    /// The timer fires when it is due, so many times in a row.
    Timer(u8),
    /// The timer fires, due or not, after so long, and the wall clock has jumped by as much again.
    WakeAfter(Span, Span),
    Open,
    Reconnect,
    Close,
    Flush,
    Opened(Whose),
    /// The time of receipt may lie ahead of the clock.
    Received(Whose, Span),
    Activity(Whose),
    Pong(Whose, Option<u8>, Option<f64>),
    Dropped(Whose, Why, u32),
    Buffered(Whose, u32),
    Decided(Choice),
    Network(bool),
    Page(u8),
    Send(Message),
    /// A burst of messages of one kind.
    Burst(Message, u8),
}

/// Which socket an input names.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Whose {
    Current,
    Again,
    AsWell,
    Other(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Why {
    Code(u16),
    Abnormal,
    Crash,
    Provider,
    Refused,
}

#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Message {
    pub(crate) size: u16,
    pub(crate) priority: bool,
    pub(crate) key: Option<bool>,
    pub(crate) time_to_live: Option<Span>,
}

/// A time of an order that matters to something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    Nothing,
    Millis(u16),
    Seconds(u8),
    Hours(u8),
    Forever,
}

impl<'a> Arbitrary<'a> for Span {
    /// Mostly times that matter; the end of all time, after which nothing more can be learnt, is rare.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match bytes.arbitrary::<u8>()? % 32 {
            0 => Self::Forever,
            1..=3 => Self::Nothing,
            4..=6 => Self::Hours(bytes.arbitrary()?),
            7..=18 => Self::Seconds(bytes.arbitrary::<u8>()? % 64),
            _ => Self::Millis(bytes.arbitrary()?),
        })
    }
}

impl Span {
    pub(crate) fn get(self) -> Time {
        match self {
            Self::Nothing => Time::ZERO,
            Self::Millis(millis) => Time::from_millis(millis.into()),
            Self::Seconds(seconds) => Time::from_secs(seconds.into()),
            Self::Hours(hours) => Time::from_secs(u64::from(hours) * 3_600),
            Self::Forever => core::time::Duration::MAX.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Choice {
    Retry,
    RetrySoon,
    Stop,
}

impl Choice {
    pub(crate) fn get(self) -> Decision {
        match self {
            Self::Retry => Decision::Retry,
            Self::RetrySoon => Decision::RetrySoon,
            Self::Stop => Decision::Stop,
        }
    }
}

impl Why {
    pub(crate) fn cause(self) -> DropCause {
        match self {
            Self::Code(code) => DropCause::closed(code, true),
            Self::Abnormal | Self::Crash => DropCause::closed(1006, false),
            Self::Provider => DropCause::ProviderFailed,
            Self::Refused => DropCause::AddressRefused,
        }
    }
}

pub(crate) fn network(online: bool) -> Network {
    if online { Network::Online } else { Network::Offline }
}

pub(crate) fn page(number: u8) -> Page {
    let pages = [Page::Visible, Page::Hidden, Page::Frozen, Page::Resumed, Page::Suspended, Page::Restored];
    pages[usize::from(number) % pages.len()]
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let is_sane = bytes.arbitrary()?;
        let config = if is_sane { sane(bytes)? } else { any(bytes)? };
        let seed = bytes.arbitrary()?;
        let (sends_on_open, sends_while_acting) = (bytes.arbitrary()?, bytes.arbitrary()?);
        let mut steps = Vec::new();
        // As many as there are bytes for; a vector of its own accord would hold one or two.
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { config, seed, is_sane, sends_on_open, sends_while_acting, steps })
    }
}

fn sane(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut config = Config::default();
    config.backoff.max_retries = bytes.arbitrary::<Option<u8>>()?.map(u32::from);
    config.outbox = outbox(bytes)?.max_messages(20).max_bytes(100_000);
    config.watermarks = Watermarks::default().high(20_000).low(5_000);
    if bytes.ratio(1, 3)? {
        config.heartbeat = HeartbeatMode::Silence(Time::from_secs(5));
    }
    Ok(config)
}

fn any(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut time = || Ok::<_, arbitrary::Error>(bytes.arbitrary::<Span>()?.get());
    let schedule = PingSchedule::default()
        .after_silence(time()?)
        .min_deadline(time()?)
        .max_deadline(time()?)
        .wake_deadline(time()?)
        .sample_every(time()?);
    let mut backoff = Backoff::default()
        .floor(time()?)
        .first(time()?)
        .max(time()?)
        .quick(time()?)
        .quick_after_silence(time()?)
        .stable_after(time()?);
    let (connect_timeout, close_timeout, silence) = (time()?, time()?, time()?);
    backoff.factor = bytes.arbitrary()?;
    backoff.max_retries = bytes.arbitrary()?;
    let reconnect = ReconnectRules { renews_credentials: bytes.arbitrary()?, asks_application: bytes.arbitrary()? };
    Ok(Config {
        backoff,
        heartbeat: match bytes.arbitrary::<u8>()? % 4 {
            0 => HeartbeatMode::Off,
            1 => HeartbeatMode::Silence(silence),
            _ => HeartbeatMode::Ping(schedule),
        },
        outbox: outbox(bytes)?,
        watermarks: Watermarks::default().high(bytes.arbitrary()?).low(bytes.arbitrary()?),
        reconnect,
        connect_timeout,
        close_timeout,
    })
}

fn outbox(bytes: &mut Unstructured<'_>) -> arbitrary::Result<OutboxLimits> {
    let mut limits = OutboxLimits::default().max_messages(bytes.arbitrary()?).max_bytes(bytes.arbitrary()?);
    limits.when_full = if bytes.arbitrary()? { WhenFull::Refuse } else { WhenFull::DropOldest };
    limits.time_to_live = bytes.arbitrary::<Option<Span>>()?.map(Span::get);
    Ok(limits)
}
