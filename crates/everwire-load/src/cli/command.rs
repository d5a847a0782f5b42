/// The command line as the result tells it. The values of headers are left out, since results are shown to others.
pub(crate) fn command(args: impl Iterator<Item = String>) -> String {
    let mut is_header = false;
    let shown = args.map(|arg| match arg.strip_prefix("--header=") {
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
            command(args.map(str::to_owned).into_iter()),
            "everwire-load ws://h/ --header 'Authorization: …' --quiet --header='Cookie: …' -q"
        );
    }
}
