use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::http::Uri;

use everwire_server::HandshakeError;

/// The parameters of a request's address.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// The value of a parameter; the last one wins.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number within `range`, or `default` when it is not given.
    pub(crate) fn number<T>(&self, name: &str, range: RangeInclusive<T>, default: T) -> Result<T, HandshakeError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => {
                let (start, end) = range.into_inner();
                Err(HandshakeError::bad_request(format!("`{name}={text}` must be a number from {start} to {end}.")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/countdown?{text}").parse().unwrap())
    }

    #[test]
    fn a_number_is_read_or_defaulted_or_refused_with_its_range() {
        assert_eq!(query("from=3").number("from", 0..=10, 7).unwrap(), 3);
        assert_eq!(query("").number("from", 0..=10, 7).unwrap(), 7);
        for bad in ["from=11", "from=-1", "from=x", "from=", "from=1.5"] {
            let error = query(bad).number("from", 0..=10, 7).unwrap_err();
            assert_eq!(error.message(), format!("`{bad}` must be a number from 0 to 10."));
        }
    }

    #[test]
    fn percent_signs_and_plus_are_decoded() {
        assert_eq!(query("symbols=A%2CB+C").text("symbols"), Some("A,B C"));
    }
}
