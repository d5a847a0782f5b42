//! What outlives the page: the uploads that were not finished, and the secret from which their keys are made.

use std::cell::RefCell;

use everwire_companion_api::files::ResumeKey;
use serde::{Deserialize, Serialize};

use super::transfer::{Stage, Transfer};
use crate::{secret, storage};

const SECRET: &str = "files.secret";
const UNFINISHED: &str = "files.unfinished";
/// How many uploads of earlier visits are offered.
const MAX_UPLOADS: usize = 10;

/// An upload that was interrupted when the page was left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct UnfinishedUpload {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) key: ResumeKey,
}

thread_local! {
    /// Caches, which keep the values for as long as the page lives where the browser stores nothing.
    static SECRET_CACHE: RefCell<Option<String>> = const { RefCell::new(None) };
    static UNFINISHED_CACHE: RefCell<Option<Vec<UnfinishedUpload>>> = const { RefCell::new(None) };
}

/// A secret of this browser.
pub(super) fn secret() -> String {
    SECRET_CACHE.with_borrow_mut(|secret| {
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
pub(super) fn list() -> Vec<UnfinishedUpload> {
    UNFINISHED_CACHE.with_borrow_mut(|list| {
        let read = || storage::read(UNFINISHED).and_then(|text| serde_json::from_str(&text).ok());
        list.get_or_insert_with(|| read().unwrap_or_default()).clone()
    })
}

/// Stores which uploads have begun and not ended.
pub(super) fn update(transfers: &[Transfer]) {
    let before = list();
    let after = updated(before.clone(), transfers);
    if after != before {
        store(after);
    }
}

/// Removes an upload that the visitor has cancelled.
pub(super) fn remove(key: &ResumeKey) {
    let mut list = list();
    list.retain(|unfinished| unfinished.key != *key);
    store(list);
}

fn updated(mut list: Vec<UnfinishedUpload>, transfers: &[Transfer]) -> Vec<UnfinishedUpload> {
    for transfer in transfers {
        let Some(key) = &transfer.key else { continue };
        let is_known = list.iter().any(|unfinished| unfinished.key == *key);
        let is_over = matches!(transfer.stage, Stage::Done(_) | Stage::Failed(_));
        if is_over && is_known {
            list.retain(|unfinished| unfinished.key != *key);
        } else if !is_over && !is_known && transfer.flow.acked() > 0 {
            list.push(UnfinishedUpload { name: transfer.name.clone(), size: transfer.flow.size(), key: key.clone() });
        }
    }
    let surplus = list.len().saturating_sub(MAX_UPLOADS);
    list.drain(..surplus);
    list
}

fn store(list: Vec<UnfinishedUpload>) {
    let text = serde_json::to_string(&list).ok().filter(|_| !list.is_empty());
    storage::write(UNFINISHED, text.as_deref());
    UNFINISHED_CACHE.set(Some(list));
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
    fn an_upload_is_stored_from_its_first_byte_to_its_end() {
        let known = UnfinishedUpload { name: "a".into(), size: 100, key: key("key") };
        assert_eq!(updated(vec![], &[transfer(0, Stage::Sending)]), []);
        let list = updated(vec![], &[transfer(10, Stage::Sending)]);
        assert_eq!(list, [known]);
        assert_eq!(updated(list.clone(), &[transfer(20, Stage::Paused)]), list);
        assert_eq!(updated(list, &[transfer(0, Stage::Failed(Failure { why: "no".into(), is_final: false }))]), []);
    }

    #[test]
    fn the_list_of_uploads_is_bounded() {
        let old = (0..MAX_UPLOADS).map(|number| UnfinishedUpload {
            name: "b".into(),
            size: 1,
            key: key(&number.to_string()),
        });
        let list = updated(old.collect(), &[transfer(10, Stage::Sending)]);
        assert_eq!((list.len(), &list[0].key, &list[MAX_UPLOADS - 1].key), (MAX_UPLOADS, &key("1"), &key("key")));
    }
}
