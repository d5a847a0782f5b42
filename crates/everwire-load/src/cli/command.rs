use url::Url;

use crate::dialect::address::shown;

/// The command line for the summary. Summaries are published, so the values of headers and the credentials of these addresses are
/// left out.
pub(super) fn command(args: impl Iterator<Item = String>, addresses: &[&str]) -> String {
    let mut is_header = false;
    let without_credentials = |arg: String| {
        addresses.iter().fold(arg, |arg, address| match Url::parse(address) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                arg.replace(address, shown(&url).as_str())
            }
            _ => arg,
        })
    };
    let shown = args.map(without_credentials).map(|arg| match arg.strip_prefix("--header=") {
        Some(header) => format!("--header={}", name_of(header)),
        None if core::mem::replace(&mut is_header, arg == "--header") => name_of(&arg),
        None => arg,
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn name_of(header: &str) -> String {
    format!("'{}: …'", header.split(':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out() {
        let args = ["everwire-load", "ws://h/", "--header", "Authorization: x", "--quiet", "--header=Cookie: y", "-q"];
        assert_eq!(
            command(args.map(str::to_owned).into_iter(), &["ws://h/"]),
            "everwire-load ws://h/ --header 'Authorization: …' --quiet --header='Cookie: …' -q"
        );
    }

    #[test]
    fn credentials_of_addresses_are_left_out() {
        let (url, other) = ("ws:user:secret@h", "wss://:secret@h/x");
        let args = ["everwire-load", url, "--subscribe-url", other].map(str::to_owned);
        let joined = "--subscribe-url=wss://:secret@h/x".to_owned();
        assert_eq!(
            command(args.into_iter().chain([joined]), &[url, other]),
            "everwire-load ws://h/ --subscribe-url wss://h/x --subscribe-url=wss://h/x"
        );
    }
}
