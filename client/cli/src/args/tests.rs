use super::{Cli, Command, EXIT_CODES, SEE_EXIT_CODES, SessionCommand, program};

fn parse(args: &str) -> Result<Cli, clap::Error> {
    let args = ["white-city"].into_iter().chain(args.split_whitespace());
    Cli::read(args.map(Into::into))
}

/// A key that is valid: the base point.
const PARTY: &str = "5866666666666666666666666666666666666666666666666666666666666666";

#[test]
fn the_arguments_contradict_nothing() {
    program().debug_assert();
}

#[test]
fn every_command_has_a_help_with_a_line_for_each_argument() {
    fn walk(command: &mut clap::Command, seen: &mut usize) {
        *seen += 1;
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            let name = (command.get_name().to_owned(), argument.get_id().clone());
            assert!(argument.get_help().is_some(), "{name:?}");
        }
        let help = command.render_long_help().to_string();
        assert!(
            help.ends_with(&format!("{SEE_EXIT_CODES}\n"))
                || help.ends_with(&format!("{EXIT_CODES}\n")),
            "{help}"
        );
        let inner = command.get_subcommands_mut();
        // That one is clap's.
        for inner in inner.filter(|inner| inner.get_name() != "help") {
            walk(inner, seen);
        }
    }
    let mut seen = 0;
    walk(&mut program(), &mut seen);
    assert!(seen > 12, "{seen}");
}

#[test]
fn what_every_command_takes_stands_apart_from_its_own_options() {
    let help = parse("identity new --help").unwrap_err().to_string();
    let (own, every) = help.split_once("Options of every command:").unwrap();
    for option in ["--out", "--key-file", "--plain"] {
        assert!(own.contains(option), "{option}: {help}");
    }
    for option in ["--network", "--trust", "--replica", "--json", "--fork-dir"] {
        assert!(every.contains(option), "{option}: {help}");
    }
}

#[test]
fn help_and_version_end_the_program_well() {
    for args in [
        "--help",
        "--version",
        "session --help",
        "eddsa sign --help",
        "eddsa key new --help",
    ] {
        assert_eq!(parse(args).unwrap_err().exit_code(), 0, "{args}");
    }
}

#[test]
fn global_options_may_come_anywhere() {
    for args in [
        "--json --network n.json session list",
        "session list --json --network n.json",
    ] {
        let cli = parse(args).unwrap();
        assert!(cli.json);
        assert!(cli.network.network.is_some());
    }
}

#[test]
fn opening_needs_a_roster_and_one_protocol() {
    let open = format!("session open --identity i --party {PARTY}");
    let good = [
        "--preset eddsa-keygen --threshold 2",
        "--protocol p",
        "--protocol p --max-rounds 3 --input-hex 00ff",
    ];
    for rest in good {
        let cli = parse(&format!("{open} {rest}")).unwrap();
        assert!(
            matches!(cli.command, Command::Session(SessionCommand::Open(_))),
            "{rest}"
        );
    }
    let bad = [
        "",
        "--preset eddsa-keygen --protocol p",
        "--preset other",
        "--preset eddsa-keygen --max-rounds 3",
        "--preset eddsa-sign --message a --message-hex 00",
        "--protocol p --input-hex 0",
        "--protocol p --threshold 2",
        "--protocol p --message m",
        "--protocol p --join-timeout 10",
    ];
    for rest in bad {
        assert_eq!(
            parse(&format!("{open} {rest}")).unwrap_err().exit_code(),
            2,
            "{rest}"
        );
    }
    assert!(
        parse("session open --identity i --protocol p").is_err(),
        "no party"
    );
    assert!(
        parse("session open --identity i --party 00 --protocol p").is_err(),
        "no key"
    );
}

#[test]
fn an_encrypted_file_is_opened_in_exactly_one_way() {
    let keygen = format!(
        "eddsa keygen --identity i --session {} --out o",
        "00".repeat(32)
    );
    assert!(parse(&format!("{keygen} --key-file k")).is_ok());
    assert!(parse(&format!("{keygen} --passphrase-file p")).is_ok());
    assert!(parse(&keygen).is_err());
    assert!(parse(&format!("{keygen} --key-file k --passphrase-file p")).is_err());
    let own = format!("{keygen} --key-file k");
    assert!(parse(&format!("{own} --identity-key-file i")).is_ok());
    assert!(parse(&format!("{own} --identity-passphrase-file i")).is_ok());
    let both = "--identity-key-file i --identity-passphrase-file j";
    assert!(parse(&format!("{own} {both}")).is_err());
}

#[test]
fn a_new_identity_is_encrypted_in_one_way_or_said_to_be_plain() {
    let new = "identity new --out o";
    for good in ["--plain", "--key-file k", "--passphrase-file p"] {
        assert!(parse(&format!("{new} {good}")).is_ok(), "{good}");
    }
    for bad in [
        "",
        "--plain --key-file k",
        "--key-file k --passphrase-file p",
    ] {
        assert!(parse(&format!("{new} {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn a_journal_is_named_by_its_identity_or_its_file() {
    let forget = format!("journal forget {}", "00".repeat(32));
    for good in ["--identity i", "--journal j", "--identity i --even-if-live"] {
        assert!(parse(&format!("{forget} {good}")).is_ok(), "{good}");
    }
    assert!(parse(&forget).is_err());
    assert!(parse("journal list").is_err());
}

#[test]
fn nobody_signs_without_saying_what() {
    let sign = format!(
        "eddsa sign --identity i --session {} --share s --key-file k",
        "00".repeat(32)
    );
    assert_eq!(parse(&sign).unwrap_err().exit_code(), 2);
    for one in [
        "--message m",
        "--message-hex 00",
        "--message-file f",
        "--any-message",
    ] {
        assert!(parse(&format!("{sign} {one}")).is_ok(), "{one}");
        let two = format!("{sign} {one} --message x --any-message");
        assert_eq!(parse(&two).unwrap_err().exit_code(), 2, "{one}");
    }
}
