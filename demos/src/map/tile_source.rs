use serde::{Deserialize, Serialize};

/// Where map images come from: an address with `{z}`, `{x}` and `{y}`, as tile servers document theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub(crate) struct TileSource {
    url: String,
    attribution: String,
}

/// The same, unchecked: what a visitor typed or a browser remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fields {
    url: String,
    attribution: String,
}

/// Why an address cannot be one of tiles.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TileUrlError {
    /// Neither `http://`, `https://` nor a path on this server.
    #[error("A tile address begins with https:// or http://, or with / for this server.")]
    Scheme,
    /// Without it every tile would be the same image.
    #[error("The address lacks {{{0}}}. It needs {{z}} for the zoom, {{x}} for the column and {{y}} for the row.")]
    Lacks(char),
    /// A placeholder that only the tile server's own page explains, as of an API key.
    #[error("Replace {{{0}}} in the address: only {{z}}, {{x}}, {{y}}, {{s}} and {{r}} are filled in here.")]
    Unknown(String),
    /// A brace that opens no placeholder.
    #[error("A brace {{ in the address is not closed.")]
    Unclosed,
}

impl TileSource {
    /// Checks the address. The attribution is plain text.
    pub(crate) fn parse(url: &str, attribution: &str) -> Result<Self, TileUrlError> {
        let url = url.trim();
        let is_path = url.starts_with('/') && !url.starts_with("//");
        if !(is_path || url.starts_with("https://") || url.starts_with("http://")) {
            return Err(TileUrlError::Scheme);
        }
        let mut found = Vec::new();
        for opened in url.split('{').skip(1) {
            let (name, _) = opened.split_once('}').ok_or(TileUrlError::Unclosed)?;
            if !["z", "x", "y", "s", "r"].contains(&name) {
                return Err(TileUrlError::Unknown(name.to_owned()));
            }
            found.push(name);
        }
        match ['z', 'x', 'y'].into_iter().find(|needed| !found.contains(&needed.to_string().as_str())) {
            Some(missing) => Err(TileUrlError::Lacks(missing)),
            None => Ok(Self { url: url.to_owned(), attribution: attribution.trim().to_owned() }),
        }
    }

    /// The address as Leaflet takes it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// To whom the images are owed; may be empty.
    pub(crate) fn attribution(&self) -> &str {
        &self.attribution
    }

    /// The attribution as HTML, which is what Leaflet shows it as.
    pub(crate) fn attribution_html(&self) -> String {
        self.attribution.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}

impl TryFrom<Fields> for TileSource {
    type Error = TileUrlError;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        Self::parse(&fields.url, &fields.attribution)
    }
}

impl From<TileSource> for Fields {
    fn from(source: TileSource) -> Self {
        Self { url: source.url, attribution: source.attribution }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_addresses_are_accepted() {
        for url in [
            "https://tile.openstreetmap.org/{z}/{x}/{y}.png",
            "http://{s}.tiles.example/{z}/{y}/{x}{r}.jpg?key=1",
            " /tiles/{z}/{x}/{y}.png ",
        ] {
            assert_eq!(TileSource::parse(url, "").unwrap().url(), url.trim());
        }
    }

    #[test]
    fn what_leaflet_would_choke_on_is_refused_with_the_reason() {
        let refusal = |url| TileSource::parse(url, "").unwrap_err();
        assert_eq!(refusal("tile.example/{z}/{x}/{y}.png"), TileUrlError::Scheme);
        assert_eq!(refusal("//tile.example/{z}/{x}/{y}.png"), TileUrlError::Scheme);
        assert_eq!(refusal("javascript:alert(1)/{z}/{x}/{y}"), TileUrlError::Scheme);
        assert_eq!(refusal("https://tile.example/{z}/{x}.png"), TileUrlError::Lacks('y'));
        assert_eq!(refusal("https://t.example/{z}/{x}/{y}?k={apikey}"), TileUrlError::Unknown("apikey".into()));
        assert_eq!(refusal("https://t.example/{z}/{x}/{y"), TileUrlError::Unclosed);
    }

    #[test]
    fn an_attribution_cannot_bring_markup_along() {
        let source = TileSource::parse("/t/{z}/{x}/{y}", "© Me & <img src=x onerror=alert(1)>").unwrap();
        assert_eq!(source.attribution_html(), "© Me &amp; &lt;img src=x onerror=alert(1)&gt;");
    }

    #[test]
    fn what_was_remembered_is_checked_again() {
        let source = TileSource::parse("https://t.example/{z}/{x}/{y}", "Us").unwrap();
        let json = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<TileSource>(&json).unwrap(), source);
        assert!(serde_json::from_str::<TileSource>(&json.replace("{y}", "")).is_err());
    }
}
