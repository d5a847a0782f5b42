// The numbers that cross the border to the wasm core. `src/codes.rs` says what they mean; a test there compares the two.

export const INPUT_OPEN = 0;
export const INPUT_RECONNECT = 1;
export const INPUT_CLOSE = 2;
export const INPUT_OPENED = 3;
export const INPUT_HEARD = 4;
export const INPUT_PONG = 5;
export const INPUT_CLOSED = 6;
export const INPUT_PROVIDER_FAILED = 7;
export const INPUT_REFUSED = 8;
export const INPUT_BUFFERED = 9;
export const INPUT_ONLINE = 10;
export const INPUT_OFFLINE = 11;
export const INPUT_VISIBLE = 12;
export const INPUT_HIDDEN = 13;
export const INPUT_FROZEN = 14;
export const INPUT_RESUMED = 15;
export const INPUT_SUSPENDED = 16;
export const INPUT_RESTORED = 17;
export const INPUT_WAKE = 18;

export const STATUS_ACTIONS = 1;

export const SENT_REFUSED = 0;
export const SENT_TRANSMITTED = 2;
export const SENT_ORDERED = 4;
export const SENT_QUEUED = 8;

export const ACTION_NONE = 0;
export const ACTION_DIAL = 1;
export const ACTION_TRANSMIT = 2;
export const ACTION_PROBE = 3;
export const ACTION_MEASURE = 4;
export const ACTION_CLOSE = 5;
export const ACTION_ABANDON = 6;
export const ACTION_OPENED = 7;
export const ACTION_LATENCY = 8;
export const ACTION_DROPPED = 9;
export const ACTION_DISCARDED = 10;
export const ACTION_ENDED = 11;
export const ACTION_ALARM = 12;

export const CAUSE_CLOSED = 0;
export const CAUSE_CONNECT_TIMEOUT = 1;
export const CAUSE_HEARTBEAT_TIMEOUT = 2;
export const CAUSE_NEVER_ANSWERED = 3;
export const CAUSE_NETWORK_CHANGED = 4;
export const CAUSE_PROVIDER = 5;
export const CAUSE_REFUSED = 6;
export const CAUSE_SUSPENDED = 7;
export const CAUSE_REQUESTED = 8;
export const CAUSE_BY_APPLICATION = 9;

export const DISCARDED_EXPIRED = 0;
export const DISCARDED_EVICTED = 1;
export const DISCARDED_REPLACED = 2;
export const DISCARDED_CLOSED = 3;

export const STAT_ANSWERED = 0;
export const STAT_LOST = 1;
export const STAT_LAST = 2;
export const STAT_MIN = 3;
export const STAT_MAX = 4;
export const STAT_MEAN = 5;
export const STAT_STANDARD_DEVIATION = 6;
export const STAT_JITTER = 7;
export const STAT_P50 = 8;
export const STAT_P90 = 9;
export const STAT_P99 = 10;
export const STAT_CLOCK_OFFSET = 11;
export const STAT_FAILURES = 12;
export const STAT_IS_READY = 13;

export const KNOB_FLOOR = 0;
export const KNOB_FIRST = 1;
export const KNOB_FACTOR = 2;
export const KNOB_MAX = 3;
export const KNOB_QUICK = 4;
export const KNOB_QUICK_AFTER_SILENCE = 5;
export const KNOB_STABLE_AFTER = 6;
export const KNOB_MAX_RETRIES = 7;
export const KNOB_CONNECT_TIMEOUT = 8;
export const KNOB_CLOSE_TIMEOUT = 9;
export const KNOB_HIGH_WATER_MARK = 10;
export const KNOB_LOW_WATER_MARK = 11;
export const KNOB_OUTBOX_MESSAGES = 12;
export const KNOB_OUTBOX_BYTES = 13;
export const KNOB_OUTBOX_TIME_TO_LIVE = 14;
export const KNOB_DROP_OLDEST = 15;
export const KNOB_RETRY_ALL = 16;
export const KNOB_PING_AFTER_SILENCE = 17;
export const KNOB_PING_MIN_DEADLINE = 18;
export const KNOB_PING_MAX_DEADLINE = 19;
export const KNOB_PING_WAKE_DEADLINE = 20;
export const KNOB_PING_SAMPLE_EVERY = 21;
export const KNOB_SILENCE = 22;
export const KNOB_RENEW_CREDENTIALS = 23;
