//! Bodies of Anthropic: messages and counts of tokens.

use super::Mark::{self, *};
use super::Positions;

/// Where content blocks stand in requests: blocks hold blocks, documents and results of tools among them.
const BLOCKS: &[&str] = &[
    "/system/*",
    "/messages/*/content/*",
    "/messages/*/content/*/content/*",
    "/messages/*/content/*/source/content/*",
    "/messages/*/content/*/content/*/content/*",
    "/messages/*/content/*/content/*/source/content/*",
];

/// What no content block says of a person.
const BLOCK_EXEMPT: &[&str] = &[
    "/type",
    "/id",
    "/name",
    "/tool_use_id",
    "/tool_name",
    "/cache_control",
    "/source/type",
    "/source/media_type",
    "/source/file_id",
    "/caller",
    "/citations/*/type",
];

/// What is signed or encrypted in a content block, and where base64 stands.
const BLOCK: &[(&str, Mark)] = &[
    ("/type", Type),
    ("/thinking", Sealed),
    ("/signature", Opaque),
    ("/data", Opaque),
    ("/encrypted_content", Opaque),
    ("/encrypted_stdout", Opaque),
    ("/citations/*/encrypted_index", Opaque),
    ("/source/type", Type),
    ("/source/data", Media),
    // Results of the provider's own tools are one object.
    ("/content/encrypted_content", Opaque),
    ("/content/encrypted_stdout", Opaque),
];

pub(super) const REQUEST: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/model",
                "/messages/*/role",
                "/tools/*/name",
                "/tools/*/type",
                "/tools/*/cache_control",
                "/tool_choice",
                "/service_tier",
                "/container/id",
                "/context_management/edits/*/type",
                "/context_management/edits/*/exclude_tools",
                "/output_config/effort",
                "/output_config/format/type",
            ],
        ),
        (BLOCKS, BLOCK_EXEMPT),
    ],
    schemas: &["/tools/*/input_schema", "/output_config/format/schema", "/output_format/schema"],
    marks: &[
        (
            &[""],
            &[
                ("/model", Model),
                ("/stream", Stream),
                ("/mcp_servers", Servers),
                ("/mcp_servers/*/authorization_token", Credential),
                ("/mcp_servers/*/authorization", Credential),
                ("/mcp_servers/*/headers", Credential),
            ],
        ),
        (
            &["/tools/*"],
            &[
                ("/type", ToolType),
                ("/server_url", Server),
                ("/mcp_server_name", Server),
                ("/authorization", Credential),
                ("/authorization_token", Credential),
            ],
        ),
        (BLOCKS, BLOCK),
    ],
};

pub(super) const ANSWER: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/id",
                "/type",
                "/role",
                "/model",
                "/stop_reason",
                "/usage",
                "/container/id",
                "/request_id",
                "/error/type",
                "/input_tokens",
            ],
        ),
        (&["/content/*", "/content/*/content/*"], BLOCK_EXEMPT),
    ],
    schemas: &[],
    marks: &[
        (&["/content/*", "/content/*/content/*"], BLOCK),
        (&["/content/*"], &[("/text", Prose), ("/name", Tool), ("/input", Arguments)]),
    ],
};

pub(super) const EVENTS: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/type",
                "/index",
                "/usage",
                "/request_id",
                "/error/type",
                "/delta/type",
                "/delta/stop_reason",
                "/delta/container/id",
                "/delta/citation/type",
            ],
        ),
        (&["/message"], &["/id", "/type", "/role", "/model", "/stop_reason", "/usage", "/container/id"]),
        (&["/content_block", "/content_block/content/*"], BLOCK_EXEMPT),
    ],
    schemas: &[],
    marks: &[
        (
            &[""],
            &[
                ("/type", Type),
                ("/index", Block),
                ("/delta/*", BlockPiece),
                ("/delta/type", Plain),
                ("/delta/stop_reason", Plain),
                ("/delta/stop_sequence", Plain),
                ("/delta/citation", Plain),
                ("/delta/citation/encrypted_index", Opaque),
            ],
        ),
        (&["/content_block", "/content_block/content/*"], BLOCK),
        (
            &["/content_block"],
            &[("/text", BlockPiece), ("/thinking", BlockPiece), ("/name", Tool), ("/input", Arguments)],
        ),
    ],
};
