//! `wss://`, by the program as it is built with one of the features for it.

use std::path::{Path, PathBuf};

use everwire_server::Tls;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{Load, folder, program};

/// A server with a self-signed certificate, and the folder that holds it.
async fn server(name: &str) -> (Load, PathBuf) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = folder(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    let tls = Tls::from_pem_files(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
    (Load::start_with_tls(tls).await, folder)
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_if_a_file_names_it() {
    let (server, folder) = server("tls").await;
    let flags = "--connections 3 --ping-period 100ms --duration 1s --root-certificates";
    let report = server.measure("/echo", &format!("{flags} {}", file(&folder, "cert.pem"))).await;
    assert_eq!((report.summary.round_trips.sent, report.summary.round_trips.answered), (30, 30));

    let output = program(&format!("{} --connections 1", server.url("/echo"))).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && stderr.contains("--root-certificates"), "{stderr}");

    let output = program(&format!("wss://h/ --root-certificates {}", file(&folder, "key.pem"))).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("there is no certificate in it"), "{stderr}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(all(feature = "rustls-native-roots", target_os = "linux"))]
#[tokio::test]
async fn the_roots_of_the_operating_system_are_trusted() {
    let (server, folder) = server("native-tls").await;
    // OpenSSL's variable, which replaces the system's file.
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_everwire-load"));
    command.env("SSL_CERT_FILE", file(&folder, "cert.pem"));
    let run = command.arg(server.url("/echo")).args(["--connections", "1", "--duration", "1s", "--max-lost", "0"]);
    let output = run.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(folder).unwrap();
}
