use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Backoff, ClosePolicy, Config, Heartbeat, Network, OutboxLimits, Page, PingSchedule, Verdict, Watermarks, WhenFull,
};

/// A connection's settings and what happens to it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) config: Config,
    pub(crate) seed: u64,
    /// The settings are such as somebody might choose, so that the rules about times hold as well.
    pub(crate) is_sane: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Arbitrary)]
pub(crate) enum Step {
    Pass(Time),
    /// The timer fires when it is due, so many times in a row.
    Timer(u8),
    /// The timer fires, due or not, after so long, and the wall clock has jumped by as much again.
    WakeAfter(Time, Time),
    Open,
    Reconnect,
    Close,
    Flush,
    Opened(Whose),
    Received(Whose),
    Pong(Whose, Option<u8>, Option<f64>),
    Dropped(Whose, Why, u32),
    Buffered(Whose, u32),
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
    pub(crate) key: Option<bool>,
    pub(crate) time_to_live: Option<Time>,
}

/// A time of an order that matters to something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    Nothing,
    Millis(u16),
    Seconds(u8),
    Hours(u8),
    Forever,
}

impl<'a> Arbitrary<'a> for Time {
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

impl Time {
    pub(crate) fn get(self) -> Duration {
        match self {
            Self::Nothing => Duration::ZERO,
            Self::Millis(millis) => Duration::from_millis(millis.into()),
            Self::Seconds(seconds) => Duration::from_secs(seconds.into()),
            Self::Hours(hours) => Duration::from_secs(u64::from(hours) * 3_600),
            Self::Forever => Duration::MAX,
        }
    }
}

impl Why {
    pub(crate) fn cause(self) -> everwire_core::Cause {
        use everwire_core::Cause;
        match self {
            Self::Code(code) => Cause::closed(code, "because", true),
            Self::Abnormal | Self::Crash => Cause::closed(1006, "", false),
            Self::Provider => Cause::Provider("no token".to_owned()),
            Self::Refused => Cause::Refused("not a URL".to_owned()),
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
        let mut steps = Vec::new();
        // As many as there are bytes for; a vector of its own accord would hold one or two.
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { config, seed, is_sane, steps })
    }
}

fn sane(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut config = Config::default();
    config.backoff.max_retries = bytes.arbitrary::<Option<u8>>()?.map(u32::from);
    config.outbox = OutboxLimits { max_messages: 20, max_bytes: 100_000, ..outbox(bytes)? };
    config.watermarks = Watermarks { high: 20_000, low: 5_000 };
    if bytes.ratio(1, 3)? {
        config.heartbeat = Heartbeat::Silence(Duration::from_secs(5));
    }
    Ok(config)
}

fn any(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let mut time = || Ok::<_, arbitrary::Error>(bytes.arbitrary::<Time>()?.get());
    let schedule = PingSchedule {
        after_silence: time()?,
        min_deadline: time()?,
        max_deadline: time()?,
        wake_deadline: time()?,
        sample_every: Some(time()?),
    };
    let backoff = Backoff {
        floor: time()?,
        first: time()?,
        max: time()?,
        quick: time()?,
        quick_after_silence: time()?,
        stable_after: time()?,
        ..Backoff::default()
    };
    let (connect_timeout, close_timeout, silence) = (time()?, time()?, time()?);
    let (factor, max_retries) = (bytes.arbitrary()?, bytes.arbitrary()?);
    let verdicts = [Verdict::Retry, Verdict::RetrySoon, Verdict::Stop];
    let verdict = *bytes.choose(&verdicts)?;
    Ok(Config {
        backoff: Backoff { factor, max_retries, ..backoff },
        heartbeat: match bytes.arbitrary::<u8>()? % 4 {
            0 => Heartbeat::Off,
            1 => Heartbeat::Silence(silence),
            _ => Heartbeat::Ping(schedule),
        },
        outbox: outbox(bytes)?,
        watermarks: Watermarks { high: bytes.arbitrary()?, low: bytes.arbitrary()? },
        close_policy: ClosePolicy::new(move |_| verdict),
        connect_timeout,
        close_timeout,
    })
}

fn outbox(bytes: &mut Unstructured<'_>) -> arbitrary::Result<OutboxLimits> {
    Ok(OutboxLimits {
        max_messages: bytes.arbitrary()?,
        max_bytes: bytes.arbitrary()?,
        when_full: if bytes.arbitrary()? { WhenFull::Refuse } else { WhenFull::DropOldest },
        time_to_live: bytes.arbitrary::<Option<Time>>()?.map(Time::get),
    })
}
