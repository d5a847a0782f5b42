//! What the binary leaves on disk: nothing.

use std::fs;
use std::path::Path;

use crate::files_client::{Sender, key};
use crate::process::Process;

fn start(folder: &Path) -> Process {
    Process::start(&["--files-dir", folder.to_str().unwrap(), "--drain", "0"])
}

fn folders(parent: &Path) -> Vec<String> {
    fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Leaves a file and the half of another one.
async fn leave(process: &Process) {
    let mut sender = Sender::at(process.address, "/files").await;
    sender.send("whole", b"hello", &key(1)).await;
    sender.ready("half", 10, &key(2)).await;
    sender.put(0, b"hello").await;
}

#[tokio::test]
async fn a_server_that_is_stopped_removes_its_files() {
    let parent = tempfile::tempdir().unwrap();
    let mut process = start(parent.path());
    leave(&process).await;
    assert_eq!(folders(parent.path()).len(), 1);
    process.signal("-TERM");
    assert!(process.child.wait().unwrap().success());
    assert_eq!(folders(parent.path()), [""; 0]);
}

#[tokio::test]
async fn the_next_server_removes_the_files_of_a_killed_one_and_keeps_those_of_a_running_one() {
    let parent = tempfile::tempdir().unwrap();
    let (mut killed, other) = (start(parent.path()), start(parent.path()));
    leave(&other).await;
    let others = folders(parent.path());
    leave(&killed).await;
    killed.signal("-KILL");
    killed.child.wait().unwrap();
    assert_eq!(folders(parent.path()).len(), 2);
    let _next = start(parent.path());
    assert_eq!(folders(parent.path()), others);
}

#[tokio::test]
async fn other_users_of_the_machine_cannot_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let process = start(parent.path());
    leave(&process).await;
    let folder = parent.path().join(&folders(parent.path())[0]);
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_that_grows_beyond_what_the_system_lets_the_server_write_does_not_end_it() {
    // 100 blocks of 512 bytes, or of 1024.
    let mut process = Process::after("ulimit -f 100", &["--drain", "0"]);
    let mut sender = Sender::at(process.address, "/files").await;
    sender.ready("large", 200_000, &key(1)).await;
    sender.chunk(0, &[7; 200_000]).await;
    let failed = sender.next().await;
    assert!(failed["error"].as_str().unwrap().contains("cannot write the file"), "{failed}");
    sender.send("small", b"hello", &key(2)).await;
    process.signal("-TERM");
    assert!(process.end().await.success());
}
