use std::collections::BTreeMap;

use yew::prelude::*;

use super::fleet::Fleet;
use super::pinger::Link;

/// The connections that are not open although they should be, by reason. It keeps its place where there are none, so that nothing
/// moves when one fails.
pub(super) fn failures(fleet: Option<&Fleet>) -> Html {
    let links = fleet.map(|fleet| fleet.each(|pinger| pinger.link().clone())).unwrap_or_default();
    let failed = by_reason(links);
    html! {
        <section class="card" aria-labelledby="failures">
            <div class="card-head"><h2 id="failures">{ "Connections that failed" }</h2></div>
            if failed.is_empty() {
                <p class="field-note">{ "None." }</p>
            }
            <ul class="throughput-failures">
                { for failed.into_iter().map(|((why, is_final), count)| html! {
                    <li>
                        <strong class="number">{ count }</strong>
                        <span>{ why }</span>
                        <span class="tag">{ if is_final { "given up" } else { "dials again" } }</span>
                    </li>
                }) }
            </ul>
        </section>
    }
}

fn by_reason(links: impl IntoIterator<Item = Link>) -> BTreeMap<(String, bool), usize> {
    let mut failed = BTreeMap::new();
    for link in links {
        if let Link::Down { why, is_final } = link {
            *failed.entry((why, is_final)).or_default() += 1;
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_one_reason_are_counted_together() {
        let down = |why: &str, is_final| Link::Down { why: why.to_owned(), is_final };
        let links =
            [Link::Dialling, down("refused", false), down("refused", false), Link::Open(1.0), down("refused", true)];
        let failed = by_reason(links);
        let counts: Vec<_> = failed.iter().map(|((why, is_final), count)| (why.as_str(), *is_final, *count)).collect();
        assert_eq!(counts, [("refused", false, 2), ("refused", true, 1)]);
    }
}
