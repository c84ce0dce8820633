//! `global_defs`, and what stands beside it at the top level.

use super::Case;

pub(super) const CASES: &[Case] = &[
    ("global_defs", "script_user", "script_user nobody", "/global/scripts/user", r#"{"name":"nobody","group":null}"#),
    (
        "global_defs",
        "script_user",
        "script_user nobody :",
        "/global/scripts/user/group",
        r#"{"name":null,"supplementary":true}"#,
    ),
    ("global_defs", "enable_script_security", "enable_script_security", "/global/scripts/security", "true"),
    (
        "global_defs",
        "startup_script",
        "startup_script \"/usr/bin/start one two\" nobody :nogroup",
        "/global/scripts/startup",
        r#"{"argv":["/usr/bin/start","one","two"],"user":"nobody","group":{"name":"nogroup","supplementary":true}}"#,
    ),
    (
        "global_defs",
        "startup_script_timeout",
        "startup_script_timeout 20",
        "/global/scripts/startup_timeout/secs",
        "20",
    ),
    (
        "global_defs",
        "shutdown_script",
        "shutdown_script /usr/bin/stop",
        "/global/scripts/shutdown",
        r#"{"argv":["/usr/bin/stop"],"user":null,"group":null}"#,
    ),
    (
        "global_defs",
        "shutdown_script_timeout",
        "shutdown_script_timeout 20",
        "/global/scripts/shutdown_timeout/secs",
        "20",
    ),
    ("global_defs", "use_symlink_paths", "use_symlink_paths", "/global/scripts/symlink_paths", "true"),
    (
        "global_defs",
        "set_supplementary_groups",
        "set_supplementary_groups yes",
        "/global/scripts/supplementary_groups",
        "true",
    ),
];
