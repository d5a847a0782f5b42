//! Who is in a room.

use everwire::client::Member;
use everwire_companion_api::server::Visitor;

/// A person who is in a room, perhaps with several pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// The user, or the session where it has none.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_me: bool,
}

/// The people behind the sessions that are present: the visitor, who has this session, first; then the others by their names.
pub(super) fn people(members: &[Member], own_session: Option<&str>) -> Vec<Person> {
    of(members.iter().map(|member| (member.session(), member.info().and_then(|info| info.as_text()))), own_session)
}

fn of<'a>(sessions: impl Iterator<Item = (&'a str, Option<&'a str>)>, own_session: Option<&str>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for (session, info) in sessions {
        let info = info.and_then(|info| serde_json::from_str::<Visitor>(info).ok());
        let (id, name) = info.map_or_else(|| (session.to_owned(), "Guest".to_owned()), |info| (info.user, info.name));
        let is_me = own_session == Some(session);
        match people.iter_mut().find(|person| person.id == id) {
            Some(person) => person.is_me |= is_me,
            None => people.push(Person { id, name, is_me }),
        }
    }
    people.sort_by_cached_key(|person| (!person.is_me, person.name.to_lowercase(), person.id.clone()));
    people
}

/// One of so many colours, always the same for a person.
pub(super) fn color(id: &str, colors: usize) -> usize {
    let hash = id.bytes().fold(5_381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
    hash % colors.max(1)
}

/// The first letters of the first two words of a name.
pub(super) fn initials(name: &str) -> String {
    let letter = |word: &str| word.chars().find(|char| char.is_alphanumeric());
    let letters: String = name.split_whitespace().filter_map(letter).take(2).collect();
    if letters.is_empty() { "?".to_owned() } else { letters.to_uppercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Option<&str> = Some(r#"{"name":"Ada","user":"u1"}"#);

    #[test]
    fn several_pages_of_one_visitor_count_once() {
        let people =
            of([("s1", ADA), ("s2", Some(r#"{"name":"bob","user":"u2"}"#)), ("s3", ADA)].into_iter(), Some("s3"));
        let shown: Vec<_> = people.iter().map(|person| (&*person.name, person.is_me)).collect();
        assert_eq!(shown, [("Ada", true), ("bob", false)]);
    }

    #[test]
    fn a_session_of_which_nothing_is_known_is_a_guest() {
        let people = of([("s1", None), ("s2", Some("not JSON"))].into_iter(), None);
        assert_eq!(people.iter().map(|person| &*person.name).collect::<Vec<_>>(), ["Guest", "Guest"]);
    }

    #[test]
    fn initials_are_letters() {
        assert_eq!(
            ["Ada Lovelace", "bob", "(Eve) von X", "Guest 482", "🎉", ""].map(initials),
            ["AL", "B", "EV", "G4", "?", "?"]
        );
    }

    #[test]
    fn a_persons_color_stays_the_same() {
        assert_eq!(color("u1", 7), color("u1", 7));
        assert!((0..20).map(|id| color(&id.to_string(), 7)).collect::<std::collections::HashSet<_>>().len() > 4);
    }
}
