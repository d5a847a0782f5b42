/// Why there is no position to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The visitor, the browser or the system said no.
    Denied,
    /// The device cannot tell where it is.
    Unavailable,
    /// It takes too long to find out.
    Timeout,
    /// The browser has no Geolocation API.
    Unsupported,
    /// The page did not come over https, and browsers tell such pages nothing.
    InsecureContext,
}

impl Problem {
    /// The problem behind a code of the Geolocation API's `GeolocationPositionError`.
    pub(super) fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Denied,
            3 => Self::Timeout,
            _ => Self::Unavailable,
        }
    }

    /// Whether waiting cannot help. After the others the device goes on trying.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Denied | Self::Unsupported | Self::InsecureContext)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Denied => "The browser may not tell this page where you are",
            Self::Unavailable => "Your device cannot tell where it is",
            Self::Timeout => "Finding your position takes long",
            Self::Unsupported => "This browser cannot tell positions",
            Self::InsecureContext => "Browsers tell positions only to secure pages",
        }
    }

    /// What the visitor can do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Denied => {
                "Nothing is shared. If you want to share, allow the location for this site beside the address bar (and for the \
                 browser in the system's settings), then press the button again. Or simulate a walk."
            }
            Self::Unavailable => {
                "It is still trying. Switch on location services or Wi-Fi; a state computer may have neither. Or stop, and \
                 simulate a walk."
            }
            Self::Timeout => {
                "It is still trying. Under a roof satellites are hard to hear: a window, or Wi-Fi switched on, helps. Or stop, \
                 and simulate a walk."
            }
            Self::Unsupported => {
                "It lacks the Geolocation API. Open this page in a current Firefox, Chrome, Edge or Safari, or simulate a walk."
            }
            Self::InsecureContext => {
                "Open this page by https, or on this computer as http://localhost. Or simulate a walk, which needs no position."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: [Problem; 5] =
        [Problem::Denied, Problem::Unavailable, Problem::Timeout, Problem::Unsupported, Problem::InsecureContext];

    #[test]
    fn the_codes_of_the_geolocation_api_are_told_apart() {
        assert_eq!([1, 2, 3].map(Problem::from_code), [Problem::Denied, Problem::Unavailable, Problem::Timeout]);
    }

    #[test]
    fn every_problem_has_its_own_text_and_a_way_out() {
        assert_eq!(ALL.map(Problem::title).into_iter().collect::<BTreeSet<_>>().len(), ALL.len());
        assert_eq!(ALL.map(Problem::advice).into_iter().collect::<BTreeSet<_>>().len(), ALL.len());
        assert!(ALL.iter().all(|problem| problem.advice().contains("simulate a walk")));
    }
}
