use std::fs;

use axum::Router;
use everwire_conformance::{FaultyProxy, Options, Verdict, checks, run};
use everwire_server::channels::AllowAll;
use everwire_server::{Everwire, Server, ServerConfig, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// How some checks end that do without credentials and options.
async fn verdicts(options: &Options) -> Vec<Verdict> {
    let names = ["the-subprotocol-is-chosen-among-others", "a-publish-is-answered-before-its-own-copy"];
    let mut verdicts = Vec::new();
    for check in checks().iter().filter(|check| names.contains(&check.name())) {
        verdicts.push(run(check, options).await.verdict);
    }
    verdicts
}

#[tokio::test]
async fn a_server_with_tls_is_checked_if_its_certificate_is_trusted() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let wire = Everwire::builder().authorize(AllowAll).build();
    let config = ServerConfig::new(([127, 0, 0, 1], 0)).tls(Tls::from_pem_files(&cert_file, &key_file).unwrap());
    let server = Server::bind(&wire, config).await.unwrap().start(Router::new().merge(wire.router()));
    let mut options = Options::new(format!("wss://localhost:{}/everwire", server.local_addr().port()));
    for verdict in verdicts(&options).await {
        assert!(matches!(&verdict, Verdict::Failed(reason) if reason.contains("certificate")), "{verdict:?}");
    }
    options.ca = Some(cert_file);
    assert_eq!(verdicts(&options).await, [Verdict::Passed, Verdict::Passed]);
    // The proxy of the faults connects in the same way.
    let proxy = FaultyProxy::start(&options, None).await.unwrap();
    assert_eq!(verdicts(&Options::new(proxy.url())).await, [Verdict::Passed, Verdict::Passed]);
}
