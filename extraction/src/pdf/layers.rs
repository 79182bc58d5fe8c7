//! Optional content: layers that a document turns off, whose content is not shown (ISO 32000-2,
//! 8.11). This module owns which content is turned off; it must not know what is in it.

use std::collections::HashSet;
use std::rc::Rc;

use hayro_syntax::object::dict::keys::{
    BASE_STATE, D, OC, OCGS, OCMD, OCPROPERTIES, OFF, ON, P, TYPE,
};
use hayro_syntax::object::{Array, Dict, Name, ObjectIdentifier};
use hayro_syntax::xref::XRef;

/// The layers of a document that are turned off.
#[derive(Clone, Default)]
pub(super) struct Hidden(Rc<HashSet<ObjectIdentifier>>);

impl Hidden {
    pub(super) fn of(xref: &XRef) -> Self {
        let found = || {
            let catalog = xref.get::<Dict<'_>>(xref.root_id())?;
            let properties = catalog.get::<Dict<'_>>(OCPROPERTIES)?;
            let config = properties.get::<Dict<'_>>(D)?;
            let mut hidden = HashSet::new();
            let base = config.get::<Name<'_>>(BASE_STATE);
            if base.is_some_and(|base| base.as_ref() == OFF) {
                hidden.extend(groups(&properties, OCGS));
            }
            for on in groups(&config, ON) {
                hidden.remove(&on);
            }
            hidden.extend(groups(&config, OFF));
            Some(Self(Rc::new(hidden)))
        };
        found().unwrap_or_default()
    }

    /// Whether content shows that belongs to a group, or to several by a rule.
    fn shows(&self, dictionary: &Dict<'_>, group: Option<ObjectIdentifier>) -> bool {
        let is_rule = || {
            let kind = dictionary.get::<Name<'_>>(TYPE);
            kind.is_some_and(|kind| kind.as_ref() == OCMD)
        };
        match group {
            Some(group) if self.0.is_empty() || !is_rule() => !self.0.contains(&group),
            _ => self.by_rule(dictionary),
        }
    }

    fn by_rule(&self, rule: &Dict<'_>) -> bool {
        let mut members: Vec<ObjectIdentifier> = groups(rule, OCGS).collect();
        if rule.get::<Array<'_>>(OCGS).is_none() {
            members.extend(rule.get_ref(OCGS).map(ObjectIdentifier::from));
        }
        if members.is_empty() {
            return true;
        }
        let policy = rule.get::<Name<'_>>(P);
        let mut members = members.iter().map(|member| self.0.contains(member));
        match policy.as_deref() {
            Some(b"AllOn") => members.all(|off| !off),
            Some(b"AnyOff") => members.any(|off| off),
            Some(b"AllOff") => members.all(|off| off),
            _ => members.any(|off| !off),
        }
    }
}

fn groups<'a>(holder: &Dict<'a>, key: &[u8]) -> impl Iterator<Item = ObjectIdentifier> {
    let array = holder.get::<Array<'_>>(key);
    let items = array.into_iter().flat_map(|array| array.raw_iter());
    items.filter_map(|item| Some(item.as_obj_ref()?.into()))
}

/// The marked content open around the present point, and whether it shows.
#[derive(Default)]
pub(super) struct Layers {
    hidden: Hidden,
    open: Vec<bool>,
}

impl Layers {
    pub(super) fn new(hidden: Hidden) -> Self {
        Self {
            hidden,
            open: Vec::new(),
        }
    }

    /// The same layers, with no content open.
    pub(super) fn afresh(&self) -> Self {
        Self::new(self.hidden.clone())
    }

    pub(super) fn shows(&self) -> bool {
        self.open.last().copied().unwrap_or(true)
    }

    /// Content begins that belongs to no layer of its own.
    pub(super) fn begin(&mut self) {
        self.open.push(self.shows());
    }

    pub(super) fn begin_group(&mut self, dictionary: &Dict<'_>, group: Option<ObjectIdentifier>) {
        let shows = self.shows() && self.hidden.shows(dictionary, group);
        self.open.push(shows);
    }

    /// Form or picture content begins, if it belongs to a layer; whether it does.
    pub(super) fn begin_object(&mut self, dictionary: &Dict<'_>) -> bool {
        let Some(layer) = dictionary.get::<Dict<'_>>(OC) else {
            return false;
        };
        self.begin_group(&layer, dictionary.get_ref(OC).map(ObjectIdentifier::from));
        true
    }

    pub(super) fn end(&mut self) {
        self.open.pop();
    }
}
