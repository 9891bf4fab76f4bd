use super::*;
use crate::{
    LocalKey, Signer as _,
    groups::{Home, fingerprint},
};

fn key(number: u8) -> IdentityKey {
    LocalKey::from_seed(&[number; 32]).unwrap().identity()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn member(text: &str, number: u8) -> Member {
    Member {
        name: name(text),
        key: key(number),
    }
}

fn made(session: u8, public_key: u8) -> GroupKey {
    GroupKey {
        network: NetworkId([1; 32]),
        session: SessionId([session; 32]),
        protocol: "white-city/eddsa-keygen".into(),
        public_key: Hash([public_key; 32]),
        outcome: Hash([9; 32]),
        threshold: 2,
        share: Some("shares/alice".into()),
    }
}

fn treasury() -> Group {
    let members = vec![member("alice", 1), member("bob", 2)];
    let mut group = Group::new(name("treasury"), members).unwrap();
    assert!(group.add_key(made(7, 8)).unwrap());
    group.begin(Begun {
        network: NetworkId([1; 32]),
        session: SessionId([5; 32]),
        protocol: "white-city/eddsa-sign".into(),
        asked: Hash([6; 32]),
    });
    group
}

fn contacts(known: &[(&str, u8)]) -> Contacts {
    let mut contacts = Contacts::default();
    for (text, number) in known {
        contacts.add(name(text), key(*number)).unwrap();
    }
    contacts
}

#[test]
fn what_is_exported_says_nothing_of_this_machine_and_is_imported_as_it_was() {
    let exported = treasury().export();
    let text = String::from_utf8(exported.clone()).unwrap();
    assert!(!text.contains("share") && !text.contains("begun"), "{text}");
    let imported = Group::import(&exported, None, &contacts(&[("bob", 2)]), |_| Ok(None)).unwrap();
    assert_eq!(imported.strangers, [member("alice", 1)]);
    assert_eq!(imported.renamed, []);
    assert_eq!(imported.new_keys.len(), 1);
    assert_eq!(imported.group.members(), treasury().members());
    assert_eq!(imported.group.keys()[0].share, None);
    // Whoever has a share keeps it.
    let again = Group::import(&exported, None, &contacts(&[]), |_| Ok(Some(treasury()))).unwrap();
    assert_eq!(again.group, treasury());
    assert_eq!(again.new_keys, []);
}

#[test]
fn an_import_never_gives_a_name_or_a_member_another_key() {
    let exported = treasury().export();
    let taken = Group::import(&exported, None, &contacts(&[("Bob", 3)]), |_| Ok(None));
    let taken = taken.unwrap_err().to_string();
    assert!(taken.contains(&fingerprint(&key(3))), "{taken}");
    let known = vec![member("alice", 1), member("carol", 3)];
    let known = Group::new(name("treasury"), known).unwrap();
    let other = Group::import(&exported, None, &contacts(&[]), |_| Ok(Some(known.clone())));
    assert!(
        matches!(other, Err(GroupError::OtherMembers { .. })),
        "{other:?}"
    );
    let named = Some(name("other"));
    let other = Group::import(&exported, named, &contacts(&[]), |name| {
        assert_eq!(name.as_str(), "other");
        Ok(None)
    });
    assert_eq!(other.unwrap().group.name, name("other"));
    // A contact is called here as this person calls it.
    let robert = Group::import(&exported, None, &contacts(&[("robert", 2)]), |_| Ok(None));
    let robert = robert.unwrap();
    assert_eq!(robert.renamed, [(name("bob"), name("robert"))]);
    assert_eq!(robert.group.name_of(&key(2)), Some(&name("robert")));
    let mut other = treasury();
    other.keys[0].public_key = Hash([4; 32]);
    let other = Group::import(&exported, None, &contacts(&[]), |_| Ok(Some(other)));
    assert!(matches!(other, Err(GroupError::Impossible(_))), "{other:?}");
}

#[test]
fn groups_are_of_two_members_at_least_each_there_once() {
    assert!(Group::new(name("g"), vec![member("alice", 1)]).is_err());
    for twice in [member("ALICE", 2), member("bob", 1)] {
        let members = vec![member("alice", 1), twice];
        assert!(Group::new(name("g"), members).is_err());
    }
}

#[test]
fn what_is_unknown_too_large_or_of_another_version_is_refused() {
    let text = String::from_utf8(treasury().to_bytes()).unwrap();
    assert_eq!(Group::from_bytes(text.as_bytes()).unwrap(), treasury());
    let key = key(1).to_string();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"threshold\"", "\"x\": 1, \"threshold\""),
        ("\"members\"", "\"more\": 1, \"members\""),
        ("\"alice\"", "\"../alice\""),
        ("\"alice\"", "\"bob\""),
        (&*key, "00"),
        (&*key, &"ff".repeat(32)),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        assert!(Group::from_bytes(other.as_bytes()).is_err(), "{from}");
    }
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    home.create(&treasury()).unwrap();
    let file = home.path().join("groups/treasury.json");
    std::fs::write(&file, vec![b' '; 5 << 20]).unwrap();
    let large = home.group(&name("treasury")).unwrap_err();
    assert!(large.to_string().contains("larger"), "{large}");
}

#[test]
fn a_home_keeps_what_was_written_and_nobody_else_looks_into_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    assert_eq!(home.contacts().unwrap(), Contacts::default());
    assert_eq!(home.groups().unwrap(), []);
    assert!(!home.path().exists(), "reading makes nothing");
    let add = |text, number| home.change_contacts(|all| all.add(name(text), key(number)));
    assert!(add("alice", 1).unwrap() && add("bob", 2).unwrap());
    let failed = home.change_contacts(|all| {
        all.remove(&name("bob"))?;
        all.add(name("alice"), key(3))
    });
    assert!(failed.is_err());
    let both = contacts(&[("alice", 1), ("bob", 2)]);
    assert_eq!(home.contacts().unwrap(), both);
    home.create(&treasury()).unwrap();
    let twice = Group::new(name("Treasury"), treasury().members).unwrap();
    let twice = home.create(&twice);
    assert!(matches!(twice, Err(GroupError::GroupExists(_))));
    let ended = home.change(&name("treasury"), |group| {
        group.end(&SessionId([5; 32]));
        Ok(())
    });
    ended.unwrap();
    let kept = home.group(&name("TREASURY")).unwrap();
    assert_eq!(kept.begun(&NetworkId([1; 32]), &Hash([6; 32])), None);
    assert_eq!(kept.keys(), treasury().keys());
    assert_eq!(home.groups().unwrap(), [name("treasury")]);
    let mode = home.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let set = |mode| std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(mode));
    set(0o750).unwrap();
    let refused = home.contacts();
    assert!(matches!(
        refused,
        Err(GroupError::Folder { mode: 0o750, .. })
    ));
    set(0o700).unwrap();
    home.remove(&name("treasury")).unwrap();
    let gone = home.group(&name("treasury"));
    assert!(matches!(gone, Err(GroupError::NoGroup(_))));
}

#[test]
fn several_programs_change_the_contacts_at_once_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    let add = |text: String, number| home.change_contacts(|all| all.add(name(&text), key(number)));
    add("x".into(), 100).unwrap();
    std::thread::scope(|scope| {
        for number in 1..=8 {
            scope.spawn(move || add(format!("n{number}"), number).unwrap());
        }
    });
    assert_eq!(home.contacts().unwrap().iter().count(), 9);
}
