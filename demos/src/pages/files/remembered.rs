use std::cell::RefCell;

use everwire_companion_api::files::ResumeKey;
use serde::{Deserialize, Serialize};

use super::transfer::{Stage, Transfer};
use crate::{secret, storage};

const SECRET: &str = "files.secret";
const UNFINISHED: &str = "files.unfinished";
/// How many uploads of earlier visits are offered.
const MOST: usize = 10;

/// An upload that the page was left before the end of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Unfinished {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) key: ResumeKey,
}

thread_local! {
    /// As long as the page lives, also where nothing can be kept longer.
    static SECRET_NOW: RefCell<Option<String>> = const { RefCell::new(None) };
    static UNFINISHED_NOW: RefCell<Option<Vec<Unfinished>>> = const { RefCell::new(None) };
}

/// What nobody but this browser knows.
pub(super) fn secret() -> String {
    SECRET_NOW.with_borrow_mut(|secret| {
        let known = || storage::read(SECRET).filter(|secret| secret.len() == 32);
        let secret = secret.get_or_insert_with(|| {
            known().unwrap_or_else(|| {
                let secret = secret::random();
                storage::write(SECRET, Some(&secret));
                secret
            })
        });
        secret.clone()
    })
}

/// The uploads of earlier visits that can be resumed.
pub(super) fn unfinished() -> Vec<Unfinished> {
    UNFINISHED_NOW.with_borrow_mut(|list| {
        let read = || storage::read(UNFINISHED).and_then(|text| serde_json::from_str(&text).ok());
        list.get_or_insert_with(|| read().unwrap_or_default()).clone()
    })
}

/// Remembers which uploads have begun and not ended.
pub(super) fn follow(transfers: &[Transfer]) {
    let before = unfinished();
    let after = followed(before.clone(), transfers);
    if after != before {
        keep(after);
    }
}

/// The upload is not wanted any more.
pub(super) fn forget(key: &ResumeKey) {
    let mut list = unfinished();
    list.retain(|unfinished| unfinished.key != *key);
    keep(list);
}

fn followed(mut list: Vec<Unfinished>, transfers: &[Transfer]) -> Vec<Unfinished> {
    for transfer in transfers {
        let Some(key) = &transfer.key else { continue };
        let is_known = list.iter().any(|unfinished| unfinished.key == *key);
        let is_over = matches!(transfer.stage, Stage::Done(_) | Stage::Failed(_));
        if is_over && is_known {
            list.retain(|unfinished| unfinished.key != *key);
        } else if !is_over && !is_known && transfer.flow.acked() > 0 {
            list.push(Unfinished { name: transfer.name.clone(), size: transfer.flow.size(), key: key.clone() });
        }
    }
    let surplus = list.len().saturating_sub(MOST);
    list.drain(..surplus);
    list
}

fn keep(list: Vec<Unfinished>) {
    let text = serde_json::to_string(&list).ok().filter(|_| !list.is_empty());
    storage::write(UNFINISHED, text.as_deref());
    UNFINISHED_NOW.set(Some(list));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::files::transfer::Failure;

    fn key(text: &str) -> ResumeKey {
        format!("{text:0>16}").try_into().unwrap()
    }

    fn transfer(acked: u64, stage: Stage) -> Transfer {
        let mut transfer = Transfer::new(1, "a".into(), 100);
        transfer.key = Some(key("key"));
        transfer.flow.resume(acked, 10, 10);
        transfer.stage = stage;
        transfer
    }

    #[test]
    fn an_upload_is_remembered_from_its_first_byte_to_its_end() {
        let known = Unfinished { name: "a".into(), size: 100, key: key("key") };
        assert_eq!(followed(vec![], &[transfer(0, Stage::Sending)]), []);
        let list = followed(vec![], &[transfer(10, Stage::Sending)]);
        assert_eq!(list, [known]);
        assert_eq!(followed(list.clone(), &[transfer(20, Stage::Paused)]), list);
        assert_eq!(followed(list, &[transfer(0, Stage::Failed(Failure { why: "no".into(), is_final: false }))]), []);
    }

    #[test]
    fn the_list_does_not_grow_for_ever() {
        let old = (0..MOST).map(|number| Unfinished { name: "b".into(), size: 1, key: key(&number.to_string()) });
        let list = followed(old.collect(), &[transfer(10, Stage::Sending)]);
        assert_eq!((list.len(), &list[0].key, &list[MOST - 1].key), (MOST, &key("1"), &key("key")));
    }
}
