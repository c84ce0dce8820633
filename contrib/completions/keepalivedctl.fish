# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_keepalivedctl_global_optspecs
    string join \n color= h/help V/version
end

function __fish_keepalivedctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_keepalivedctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_keepalivedctl_using_subcommand
    set -l cmd (__fish_keepalivedctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -s V -l version -d 'Print version'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "status" -d 'Show how everything is, what is wrong first; exit status 0 all is well, 1 warnings, 2 problems, 3 the daemon does not run'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "why" -d 'Say why an instance, a server, a tracker or a BFD session is as it is, and what would change that'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "events" -d 'Show what happened'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "watch" -d 'Show everything on one screen, live, until `q`'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "show" -d 'Show one subject, whole'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "reload" -d 'Have the daemon read its configuration again; for root and `control_group`'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "drain" -d 'Take a real server out gently: weight 0, connections that it has go on'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "enable" -d 'Give a real server its configured weight again'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "weight" -d 'Give a real server another weight, until `enable` or the end of the daemon'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "priority" -d 'Give an instance another base priority, until `priority NAME configured` or the end of the daemon'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "maintenance" -d 'Hand over cleanly and stay away (`on`), or take part again (`off`)'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "garp" -d 'Tell the neighbours of an instance that is MASTER once more where its addresses are (gratuitous ARP, unsolicited NA)'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "clear-counters" -d 'Set the counters of instances to 0'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "check" -d 'Say what is wrong with a configuration; with several files, each is a node of one cluster, and they are compared'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "explain" -d 'Say what a configuration leads to: times to fail over, sizes of adverts, arithmetic of quorums'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "fmt" -d 'Lay files out: four spaces a block, one statement a line'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "expand" -d 'Write includes, definitions and sequences out'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "diff" -d 'Say what a reload from one configuration to another would change'
complete -c keepalivedctl -n "__fish_keepalivedctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand status" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand status" -l all -d 'Show also what is well where there is much of it'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand status" -l json -d 'For programs: JSON (see keepalivedctl(1))'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand why" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand why" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand why" -l json -d 'For programs: JSON'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand events" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand events" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand events" -s f -l follow -d 'Go on with what happens from now on'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand events" -l json -d 'For programs: an object in each line'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand watch" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand watch" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand show" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand show" -l json -d 'For programs: JSON; of the configuration `keepalivedctl expand --json` makes it'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand reload" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand reload" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand drain" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand drain" -l of -d 'In this virtual server only' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand drain" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand enable" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand enable" -l of -d 'In this virtual server only' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand enable" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand enable" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand weight" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand weight" -l of -d 'In this virtual server only' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand weight" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand weight" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand priority" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand priority" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand priority" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand maintenance" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand maintenance" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand maintenance" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand garp" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand garp" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand garp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand clear-counters" -l socket -d 'The daemon\'s control socket; it is beside the pid file if the configuration names no other place' -r -F
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand clear-counters" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand clear-counters" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -l format -d 'How findings are written' -r -f -a "text\t'For people'
json\t'An array of records'
sarif\t'SARIF 2.1.0'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -s i -l config-id -d 'What `@id` lines are compared with [default: the host name up to its first dot]' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -s q -l quiet -d 'Leave out what is merely worth knowing'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -l here -d 'Take this machine\'s interfaces for those that there are; without it, every interface is taken for present'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -l only -d 'Only the instance or the virtual server of this name' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -s i -l config-id -d 'What `@id` lines are compared with [default: the host name up to its first dot]' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -l json -d 'As JSON, with all times in seconds and nanoseconds'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -l here -d 'Take this machine\'s interfaces for those that there are; without it, every interface is taken for present'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand fmt" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand fmt" -l check -d 'Write nothing; name the files whose layout is another, and exit with 1 if there is one'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand fmt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -s i -l config-id -d 'What `@id` lines are compared with [default: the host name up to its first dot]' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -l origin -d 'Say after each line where it comes from'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -l json -d 'As a document of docs/keepalived.conf.schema.json'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -l here -d 'Take this machine\'s interfaces for those that there are; without it, every interface is taken for present'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand expand" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -s i -l config-id -d 'What `@id` lines are compared with [default: the host name up to its first dot]' -r
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -l json -d 'The plan as JSON'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -l exit-code -d 'Exit with 1 if anything would change'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -l here -d 'Take this machine\'s interfaces for those that there are; without it, every interface is taken for present'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "status" -d 'Show how everything is, what is wrong first; exit status 0 all is well, 1 warnings, 2 problems, 3 the daemon does not run'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "why" -d 'Say why an instance, a server, a tracker or a BFD session is as it is, and what would change that'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "events" -d 'Show what happened'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "watch" -d 'Show everything on one screen, live, until `q`'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "show" -d 'Show one subject, whole'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "reload" -d 'Have the daemon read its configuration again; for root and `control_group`'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "drain" -d 'Take a real server out gently: weight 0, connections that it has go on'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "enable" -d 'Give a real server its configured weight again'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "weight" -d 'Give a real server another weight, until `enable` or the end of the daemon'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "priority" -d 'Give an instance another base priority, until `priority NAME configured` or the end of the daemon'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "maintenance" -d 'Hand over cleanly and stay away (`on`), or take part again (`off`)'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "garp" -d 'Tell the neighbours of an instance that is MASTER once more where its addresses are (gratuitous ARP, unsolicited NA)'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "clear-counters" -d 'Set the counters of instances to 0'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "check" -d 'Say what is wrong with a configuration; with several files, each is a node of one cluster, and they are compared'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "explain" -d 'Say what a configuration leads to: times to fail over, sizes of adverts, arithmetic of quorums'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "fmt" -d 'Lay files out: four spaces a block, one statement a line'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "expand" -d 'Write includes, definitions and sequences out'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "diff" -d 'Say what a reload from one configuration to another would change'
complete -c keepalivedctl -n "__fish_keepalivedctl_using_subcommand help; and not __fish_seen_subcommand_from status why events watch show reload drain enable weight priority maintenance garp clear-counters check explain fmt expand diff help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
