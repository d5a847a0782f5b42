use serde::{Deserialize, Serialize};

/// What precedes the bytes of a chunk: the stream (4 bytes) and the offset in the file (8 bytes), both big-endian.
pub(super) const CHUNK_HEADER: usize = 12;

/// What the page tells the server, beside the chunks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Report {
    /// Here comes a file, or the rest of one.
    Upload { stream: u32, name: String, size: u64, resume: String },
    /// That was all of it.
    Finish { stream: u32, sha256: String },
    /// Forget what has arrived of it.
    Cancel { resume: String },
    /// Take my file away.
    Remove { id: String, resume: String },
}

/// What the server tells the page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum News {
    /// Everything that there is, at the start of a connection.
    Files {
        files: Vec<StoredFile>,
        limits: Limits,
    },
    Added {
        file: StoredFile,
    },
    Removed {
        ids: Vec<String>,
    },
    Ready {
        stream: u32,
        offset: u64,
        window: u64,
        chunk: u64,
    },
    Ack {
        stream: u32,
        offset: u64,
    },
    Stored {
        stream: u32,
        file: StoredFile,
    },
    Mismatch {
        stream: u32,
    },
    Refused {
        stream: u32,
        error: String,
        /// Whether another try would be refused as well.
        is_final: bool,
    },
    Failed {
        stream: u32,
        error: String,
    },
    Taken {
        stream: u32,
    },
}

/// A file that can be fetched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct StoredFile {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Milliseconds since the Unix epoch by the server's clock.
    pub(super) added: f64,
    /// When it goes.
    pub(super) expires: f64,
}

/// What the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Limits {
    pub(super) file_bytes: u64,
    pub(super) store_bytes: u64,
    /// How long the server keeps what has arrived of a file that does not go on, in milliseconds.
    pub(super) unfinished: f64,
    /// How long files stay, in milliseconds.
    pub(super) finished: f64,
}

/// A chunk as the server reads it, with room for so many bytes behind the header.
pub(super) fn chunk(stream: u32, offset: u64, size: usize) -> Vec<u8> {
    let mut message = vec![0; CHUNK_HEADER + size];
    message[..4].copy_from_slice(&stream.to_be_bytes());
    message[4..CHUNK_HEADER].copy_from_slice(&offset.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> News {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn requests_are_written_as_the_server_reads_them() {
        let upload = Report::Upload { stream: 3, name: "a".into(), size: 5, resume: "key".into() };
        let text = serde_json::to_string(&upload).unwrap();
        assert_eq!(text, r#"{"type":"upload","stream":3,"name":"a","size":5,"resume":"key"}"#);
        let finish = serde_json::to_string(&Report::Finish { stream: 3, sha256: "ab".into() }).unwrap();
        assert_eq!(finish, r#"{"type":"finish","stream":3,"sha256":"ab"}"#);
    }

    #[test]
    fn a_chunk_says_where_it_belongs() {
        assert_eq!(chunk(1, 0x0203, 2), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0]);
    }

    #[test]
    fn every_message_of_the_server_is_understood() {
        let file = r#"{"id":"f","name":"a","size":5,"sha256":"ab","added":1.5,"expires":2.5}"#;
        let stored =
            StoredFile { id: "f".into(), name: "a".into(), size: 5, sha256: "ab".into(), added: 1.5, expires: 2.5 };
        let limits = Limits { file_bytes: 1, store_bytes: 2, unfinished: 4.0, finished: 3.0 };
        for (json, news) in [
            (
                format!(
                    r#"{{"type":"files","files":[{file}],"limits":{{"file_bytes":1,"store_bytes":2,"files":9,"unfinished":4,"finished":3}}}}"#
                ),
                News::Files { files: vec![stored.clone()], limits },
            ),
            (format!(r#"{{"type":"added","file":{file}}}"#), News::Added { file: stored.clone() }),
            (r#"{"type":"removed","ids":["f"]}"#.into(), News::Removed { ids: vec!["f".into()] }),
            (
                r#"{"type":"ready","stream":1,"offset":2,"window":3,"chunk":4}"#.into(),
                News::Ready { stream: 1, offset: 2, window: 3, chunk: 4 },
            ),
            (r#"{"type":"ack","stream":1,"offset":2}"#.into(), News::Ack { stream: 1, offset: 2 }),
            (format!(r#"{{"type":"stored","stream":1,"file":{file}}}"#), News::Stored { stream: 1, file: stored }),
            (r#"{"type":"mismatch","stream":1,"sha256":"cd"}"#.into(), News::Mismatch { stream: 1 }),
            (
                r#"{"type":"refused","stream":1,"error":"no","is_final":true}"#.into(),
                News::Refused { stream: 1, error: "no".into(), is_final: true },
            ),
            (r#"{"type":"failed","stream":1,"error":"no"}"#.into(), News::Failed { stream: 1, error: "no".into() }),
            (r#"{"type":"taken","stream":1}"#.into(), News::Taken { stream: 1 }),
        ] {
            assert_eq!(read(&json), news, "{json}");
        }
    }
}
