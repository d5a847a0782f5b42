//! `wss://`, by the program as it is built with one of the features for it.

use everwire_server::Tls;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{Load, folder, program};

#[tokio::test]
async fn a_server_that_has_signed_its_own_certificate_is_trusted_by_a_file_and_not_without() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = folder("tls");
    std::fs::create_dir_all(&folder).unwrap();
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let server = Load::start_with_tls(Tls::from_pem_files(&cert_file, &key_file).unwrap()).await;

    let flags =
        format!("--connections 3 --ping-period 100ms --duration 1s --root-certificates {}", cert_file.display());
    let round_trips = server.told("/echo", &flags).await.summary.round_trips;
    assert_eq!((round_trips.sent, round_trips.answered), (30, 30));

    let output = program(&format!("{} --connections 1", server.url("/echo"))).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && stderr.contains("--root-certificates"), "{stderr}");

    let output = program(&format!("wss://h/ --root-certificates {}", key_file.display())).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("there is no certificate in it"), "{stderr}");
    std::fs::remove_dir_all(folder).unwrap();
}
