#compdef keepalivedctl

autoload -U is-at-least

_keepalivedctl() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_keepalivedctl_commands" \
"*::: :->keepalivedctl" \
&& ret=0
    case $state in
    (keepalivedctl)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:keepalivedctl-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--all[Show also what is well where there is much of it]' \
'--json[For programs\: JSON (see keepalivedctl(1))]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(why)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--json[For programs\: JSON]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Its name; a server also by its address:_default' \
&& ret=0
;;
(events)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-f[Go on with what happens from now on]' \
'--follow[Go on with what happens from now on]' \
'--json[For programs\: an object in each line]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::name -- About this only:_default' \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--json[For programs\: JSON; of the configuration \`keepalivedctl expand --json\` makes it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':part -- The daemon'\''s processes; what instances track; who sends adverts where; the configuration in force, without passwords (for root and `control_group`):(process trackers peers config)' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(drain)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--of=[In this virtual server only]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':server -- Its address, perhaps with the port, or its name as in `status`:_default' \
&& ret=0
;;
(enable)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--of=[In this virtual server only]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':server -- Its address, perhaps with the port, or its name as in `status`:_default' \
&& ret=0
;;
(weight)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--of=[In this virtual server only]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':server -- Its address, perhaps with the port, or its name as in `status`:_default' \
':weight -- 0 to 65535:_default' \
&& ret=0
;;
(priority)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':instance -- The instance:_default' \
':priority -- 1 to 254, or `configured`:_default' \
&& ret=0
;;
(maintenance)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':state -- Stay away, or take part again:(on off)' \
'::instance -- This instance only; all, otherwise:_default' \
&& ret=0
;;
(garp)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':instance -- The instance:_default' \
&& ret=0
;;
(clear-counters)
_arguments "${_arguments_options[@]}" : \
'--socket=[The daemon'\''s control socket; it is beside the pid file if the configuration names no other place]:PATH:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--format=[How findings are written]:FORMAT:((text\:"For people"
json\:"An array of records"
sarif\:"SARIF 2.1.0"))' \
'-i+[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--config-id=[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'-q[Leave out what is merely worth knowing]' \
'--quiet[Leave out what is merely worth knowing]' \
'--here[Take this machine'\''s interfaces for those that there are; without it, every interface is taken for present]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::files -- Configuration files; several are the nodes of one cluster:_files' \
&& ret=0
;;
(explain)
_arguments "${_arguments_options[@]}" : \
'--only=[Only the instance or the virtual server of this name]:NAME:_default' \
'-i+[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--config-id=[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--json[As JSON, with all times in seconds and nanoseconds]' \
'--here[Take this machine'\''s interfaces for those that there are; without it, every interface is taken for present]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- The configuration file:_files' \
&& ret=0
;;
(fmt)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--check[Write nothing; name the files whose layout is another, and exit with 1 if there is one]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::files -- Files to write anew, each by itself\: what it includes is left alone. Without any, standard input goes to standard output:_files' \
&& ret=0
;;
(expand)
_arguments "${_arguments_options[@]}" : \
'-i+[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--config-id=[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'(--json)--origin[Say after each line where it comes from]' \
'--json[As a document of docs/keepalived.conf.schema.json]' \
'--here[Take this machine'\''s interfaces for those that there are; without it, every interface is taken for present]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- The configuration file:_files' \
&& ret=0
;;
(diff)
_arguments "${_arguments_options[@]}" : \
'-i+[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--config-id=[What \`@id\` lines are compared with \[default\: the host name up to its first dot\]]:ID:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On a terminal, unless NO_COLOR is set"
always\:"Always"
never\:"Never"))' \
'--json[The plan as JSON]' \
'--exit-code[Exit with 1 if anything would change]' \
'--here[Take this machine'\''s interfaces for those that there are; without it, every interface is taken for present]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':old -- What runs now:_files' \
':new -- What it would be reloaded with:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_keepalivedctl__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:keepalivedctl-help-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(why)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(events)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(drain)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(enable)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(weight)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(priority)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(maintenance)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(garp)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(clear-counters)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(explain)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(fmt)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(expand)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(diff)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_keepalivedctl_commands] )) ||
_keepalivedctl_commands() {
    local commands; commands=(
'status:Show how everything is, what is wrong first; exit status 0 all is well, 1 warnings, 2 problems, 3 the daemon does not run' \
'why:Say why an instance, a server, a tracker or a BFD session is as it is, and what would change that' \
'events:Show what happened' \
'watch:Show everything on one screen, live, until \`q\`' \
'show:Show one subject, whole' \
'reload:Have the daemon read its configuration again; for root and \`control_group\`' \
'drain:Take a real server out gently\: weight 0, connections that it has go on' \
'enable:Give a real server its configured weight again' \
'weight:Give a real server another weight, until \`enable\` or the end of the daemon' \
'priority:Give an instance another base priority, until \`priority NAME configured\` or the end of the daemon' \
'maintenance:Hand over cleanly and stay away (\`on\`), or take part again (\`off\`)' \
'garp:Tell the neighbours of an instance that is MASTER once more where its addresses are (gratuitous ARP, unsolicited NA)' \
'clear-counters:Set the counters of instances to 0' \
'check:Say what is wrong with a configuration; with several files, each is a node of one cluster, and they are compared' \
'explain:Say what a configuration leads to\: times to fail over, sizes of adverts, arithmetic of quorums' \
'fmt:Lay files out\: four spaces a block, one statement a line' \
'expand:Write includes, definitions and sequences out' \
'diff:Say what a reload from one configuration to another would change' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'keepalivedctl commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__check_commands] )) ||
_keepalivedctl__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl check commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__clear-counters_commands] )) ||
_keepalivedctl__subcmd__clear-counters_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl clear-counters commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__diff_commands] )) ||
_keepalivedctl__subcmd__diff_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl diff commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__drain_commands] )) ||
_keepalivedctl__subcmd__drain_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl drain commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__enable_commands] )) ||
_keepalivedctl__subcmd__enable_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl enable commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__events_commands] )) ||
_keepalivedctl__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl events commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__expand_commands] )) ||
_keepalivedctl__subcmd__expand_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl expand commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__explain_commands] )) ||
_keepalivedctl__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl explain commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__fmt_commands] )) ||
_keepalivedctl__subcmd__fmt_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl fmt commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__garp_commands] )) ||
_keepalivedctl__subcmd__garp_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl garp commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help_commands] )) ||
_keepalivedctl__subcmd__help_commands() {
    local commands; commands=(
'status:Show how everything is, what is wrong first; exit status 0 all is well, 1 warnings, 2 problems, 3 the daemon does not run' \
'why:Say why an instance, a server, a tracker or a BFD session is as it is, and what would change that' \
'events:Show what happened' \
'watch:Show everything on one screen, live, until \`q\`' \
'show:Show one subject, whole' \
'reload:Have the daemon read its configuration again; for root and \`control_group\`' \
'drain:Take a real server out gently\: weight 0, connections that it has go on' \
'enable:Give a real server its configured weight again' \
'weight:Give a real server another weight, until \`enable\` or the end of the daemon' \
'priority:Give an instance another base priority, until \`priority NAME configured\` or the end of the daemon' \
'maintenance:Hand over cleanly and stay away (\`on\`), or take part again (\`off\`)' \
'garp:Tell the neighbours of an instance that is MASTER once more where its addresses are (gratuitous ARP, unsolicited NA)' \
'clear-counters:Set the counters of instances to 0' \
'check:Say what is wrong with a configuration; with several files, each is a node of one cluster, and they are compared' \
'explain:Say what a configuration leads to\: times to fail over, sizes of adverts, arithmetic of quorums' \
'fmt:Lay files out\: four spaces a block, one statement a line' \
'expand:Write includes, definitions and sequences out' \
'diff:Say what a reload from one configuration to another would change' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'keepalivedctl help commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__check_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help check commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__clear-counters_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__clear-counters_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help clear-counters commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__diff_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__diff_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help diff commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__drain_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__drain_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help drain commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__enable_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__enable_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help enable commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__events_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help events commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__expand_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__expand_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help expand commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__explain_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help explain commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__fmt_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__fmt_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help fmt commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__garp_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__garp_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help garp commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__help_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help help commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__maintenance_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__maintenance_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help maintenance commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__priority_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__priority_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help priority commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__reload_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help reload commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__show_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help show commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__status_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help status commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__watch_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help watch commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__weight_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__weight_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help weight commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__help__subcmd__why_commands] )) ||
_keepalivedctl__subcmd__help__subcmd__why_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl help why commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__maintenance_commands] )) ||
_keepalivedctl__subcmd__maintenance_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl maintenance commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__priority_commands] )) ||
_keepalivedctl__subcmd__priority_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl priority commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__reload_commands] )) ||
_keepalivedctl__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl reload commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__show_commands] )) ||
_keepalivedctl__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl show commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__status_commands] )) ||
_keepalivedctl__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl status commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__watch_commands] )) ||
_keepalivedctl__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl watch commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__weight_commands] )) ||
_keepalivedctl__subcmd__weight_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl weight commands' commands "$@"
}
(( $+functions[_keepalivedctl__subcmd__why_commands] )) ||
_keepalivedctl__subcmd__why_commands() {
    local commands; commands=()
    _describe -t commands 'keepalivedctl why commands' commands "$@"
}

if [ "$funcstack[1]" = "_keepalivedctl" ]; then
    _keepalivedctl "$@"
else
    compdef _keepalivedctl keepalivedctl
fi
