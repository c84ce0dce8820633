//! A checker that begins on a table that another one has left.

use super::rig::{Rig, configuration, from_text, virtual_server};

/// What a checker with `text` makes of the table that another one has left after three seconds in which `failing` failed.
fn taken_over(text: &str, failing: &[u8], resumes: bool) -> Rig {
    let mut first = Rig::new(text);
    first.pass(3, failing);
    Rig::on(first.engine.director().clone(), text, resumes)
}

#[test]
fn what_was_in_the_table_is_taken_over_without_a_change() {
    let text = configuration("alpha", &[1, 2]);
    let mut first = Rig::new(&text);
    first.pass(3, &[2]);
    let director = first.engine.director().clone();
    let (made, _) = director.work();
    let mut second = Rig::on(director, &text, false);
    assert_eq!((second.table(), second.engine.director().work().0), ("10.0.0.1:1".into(), made));
    second.pass(3, &[]);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
}

#[test]
fn a_checker_that_died_leaves_failed_servers_out() {
    let mut second = taken_over(&configuration("", &[1, 2]), &[2], true);
    assert_eq!(second.table(), "10.0.0.1:1", "it was taken out for a reason");
    second.pass(3, &[]);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
}

// seeds 33, 60 and 148 of the simulator
#[test]
fn a_reload_before_the_first_check_changes_nothing_that_was_taken_over() {
    for lines in ["", "alpha"] {
        let text = configuration(lines, &[1, 2]);
        let mut second = taken_over(&text, &[2], true);
        second.engine.reload(second.now, from_text(&text)).unwrap();
        assert_eq!(second.table(), "10.0.0.1:1", "{lines}");
    }
}

// seed 38: the sorry server took over, for ever if quorum and hysteresis are more than all weights together
#[test]
fn a_quorum_that_only_its_hysteresis_keeps_is_taken_over() {
    let text = configuration("quorum 3\n hysteresis 2\n sorry_server 10.0.0.9 80", &[1, 2, 3]);
    let mut second = taken_over(&text, &[3], true);
    assert_eq!(second.table(), "10.0.0.1:1 10.0.0.2:2");
    second.pass(3, &[1, 2, 3]);
    assert_eq!(second.table(), "10.0.0.9:1");
    // and one that is lost stays lost until there is enough again
    let mut second = taken_over(&text, &[1, 2, 3], true);
    second.pass(3, &[1, 3]);
    assert_eq!(second.table(), "10.0.0.9:1");
}

#[test]
fn a_server_that_one_of_two_virtual_servers_has_is_up() {
    let with_sorry = virtual_server("192.0.2.2 80", "quorum 5\n sorry_server 10.0.0.9 80", &[1, 5]);
    for (text, table) in [
        (configuration("", &[1, 2]) + &with_sorry, "10.0.0.1:1 10.0.0.2:2 | 10.0.0.9:1"),
        (with_sorry.clone() + &configuration("", &[1, 2]), "10.0.0.1:1 10.0.0.2:2 | 10.0.0.9:1"),
    ] {
        assert_eq!(taken_over(&text, &[5], true).table(), table, "{text}");
    }
}
