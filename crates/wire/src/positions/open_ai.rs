//! Bodies of OpenAI: chat completions, responses, embeddings, models.

use super::Mark::{self, *};
use super::Positions;

/// Tools that the provider runs at a server of somebody's choice, and keys for it.
const HOSTED: &[(&str, Mark)] = &[
    ("/type", ToolType),
    ("/server_url", Server),
    ("/connector_id", Server),
    ("/authorization", Credential),
    ("/authorization_token", Credential),
    ("/headers", Credential),
    ("/environment/network_policy/domain_secrets", Credential),
    ("/container/network_policy/domain_secrets", Credential),
];

/// Where base64 stands in parts of messages.
const MEDIA: &[(&str, Mark)] = &[
    ("/image_url", Media),
    ("/image_url/url", Media),
    ("/file_data", Media),
    ("/file/file_data", Media),
    ("/input_audio/data", Media),
    ("/data", Media),
    ("/logprobs", Logprobs),
    ("/encrypted_content", Opaque),
];

pub(super) const CHAT_REQUEST: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/model",
                "/tool_choice",
                "/function_call",
                "/modalities",
                "/audio",
                "/reasoning_effort",
                "/verbosity",
                "/service_tier",
                "/response_format/type",
                "/response_format/json_schema/name",
                "/tools/*/type",
                "/tools/*/function/name",
                "/tools/*/custom/name",
                "/functions/*/name",
            ],
        ),
        (
            &["/messages/*"],
            &[
                "/role",
                "/tool_call_id",
                "/audio/id",
                "/function_call/name",
                "/tool_calls/*/id",
                "/tool_calls/*/type",
                "/tool_calls/*/function/name",
                "/tool_calls/*/custom/name",
                "/content/*/type",
                "/content/*/image_url/detail",
                "/content/*/input_audio/format",
                "/content/*/file/file_id",
            ],
        ),
    ],
    schemas: &[
        "/tools/*/function/parameters",
        "/functions/*/parameters",
        "/response_format/json_schema/schema",
    ],
    marks: &[
        (&[""], &[("/model", Model), ("/stream", Stream), ("/store", Store)]),
        (&["/tools/*", "/functions/*"], HOSTED),
        (&["/messages/*/content/*"], MEDIA),
        (&["/messages/*"], &[("/audio/data", Media), ("/logprobs", Logprobs)]),
    ],
};

/// What no list of output or input items says of a person.
const ITEM_EXEMPT: &[&str] = &[
    "/type",
    "/id",
    "/role",
    "/status",
    "/call_id",
    "/name",
    "/server_label",
    "/approval_request_id",
    "/container_id",
    "/phase",
    "/content/*/type",
    "/content/*/detail",
    "/content/*/file_id",
    "/summary/*/type",
    "/output/*/type",
];

pub(super) const RESPONSES_REQUEST: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/model",
                "/tool_choice",
                "/include",
                "/previous_response_id",
                "/conversation",
                "/service_tier",
                "/truncation",
                "/prompt/id",
                "/prompt/version",
                "/text/verbosity",
                "/text/format/type",
                "/text/format/name",
                "/tools/*/type",
                "/tools/*/name",
                "/tools/*/vector_store_ids",
                "/tools/*/search_context_size",
            ],
        ),
        (&["/input/*"], ITEM_EXEMPT),
        (&["/input/*"], &["/action/type"]),
    ],
    schemas: &[
        "/tools/*/parameters",
        "/tools/*/tools/*/parameters",
        "/text/format/schema",
        "/input/*/tools/*/parameters",
        "/input/*/tools/*/input_schema",
    ],
    marks: &[
        (
            &[""],
            &[
                ("/model", Model),
                ("/stream", Stream),
                ("/store", Store),
                ("/background", Background),
                ("/previous_response_id", Continues),
                ("/conversation", Continues),
            ],
        ),
        (&["/tools/*", "/tools/*/tools/*", "/input/*/tools/*"], HOSTED),
        (&["/input/*/content/*", "/input/*/output/*", "/prompt/variables/*"], MEDIA),
        (&["/input/*/output"], &[("/image_url", Media)]),
        (&["/tools/*/input_image_mask"], &[("/image_url", Media)]),
        (
            &["/input/*"],
            &[
                ("/encrypted_content", Opaque),
                ("/result", Media),
                ("/outputs/*/url", Media),
                ("/authorization", Credential),
            ],
        ),
    ],
};

pub(super) const EMBEDDINGS_REQUEST: Positions = Positions {
    exempt: &[(&[""], &["/model", "/encoding_format"])],
    schemas: &[],
    marks: &[(&[""], &[("/model", Model), ("/input/*", Vocabulary), ("/input/*/*", Vocabulary)])],
};

pub(super) const EMBEDDINGS_ANSWER: Positions = Positions {
    exempt: &[(&[""], &["/object", "/model", "/usage", "/data/*/object", "/data/*/index"])],
    schemas: &[],
    marks: &[(&["/data/*"], &[("/embedding", Vector)])],
};

pub(super) const MODELS_ANSWER: Positions = Positions {
    exempt: &[(
        &["", "/data/*"],
        &[
            "/id",
            "/object",
            "/type",
            "/created",
            "/created_at",
            "/owned_by",
            "/display_name",
            "/first_id",
            "/last_id",
        ],
    )],
    schemas: &[],
    marks: &[],
};

/// Members that every chat completion and its events have.
const CHAT_HEAD: &[&str] =
    &["/id", "/object", "/created", "/model", "/system_fingerprint", "/service_tier", "/usage"];

const CALL_EXEMPT: &[&str] = &[
    "/role",
    "/function_call/name",
    "/audio/id",
    "/tool_calls/*/id",
    "/tool_calls/*/type",
    "/tool_calls/*/index",
    "/tool_calls/*/function/name",
    "/tool_calls/*/custom/name",
];

pub(super) const CHAT_ANSWER: Positions = Positions {
    exempt: &[
        (&[""], CHAT_HEAD),
        (&["/choices/*"], &["/index", "/finish_reason"]),
        (&["/choices/*/message"], CALL_EXEMPT),
    ],
    schemas: &[],
    marks: &[
        (&["/choices/*"], &[("/logprobs", Logprobs), ("/text", Prose)]),
        (
            &["/choices/*/message"],
            &[
                ("/content", Prose),
                ("/refusal", Prose),
                ("/reasoning_content", Prose),
                ("/reasoning", Prose),
                ("/audio/transcript", Prose),
                ("/audio/data", Media),
                ("/function_call/name", Tool),
                ("/function_call/arguments", Arguments),
                ("/tool_calls/*/function/name", Tool),
                ("/tool_calls/*/function/arguments", Arguments),
                ("/tool_calls/*/custom/name", Tool),
                ("/tool_calls/*/custom/input", Arguments),
                // Whatever else a call has is for its tool.
                ("/tool_calls/*/*", Arguments),
                ("/tool_calls/*/id", Plain),
                ("/tool_calls/*/type", Plain),
                ("/tool_calls/*/index", Plain),
            ],
        ),
    ],
};

pub(super) const CHAT_EVENTS: Positions = Positions {
    exempt: &[
        (&[""], CHAT_HEAD),
        (&["/choices/*"], &["/index", "/finish_reason"]),
        (&["/choices/*/delta"], CALL_EXEMPT),
    ],
    schemas: &[],
    marks: &[
        (
            &[""],
            &[
                ("/id", Head),
                ("/object", Head),
                ("/created", Head),
                ("/model", Head),
                ("/system_fingerprint", Head),
                ("/service_tier", Head),
                ("/error", Failed),
            ],
        ),
        (
            &["/choices/*"],
            &[
                ("/index", Choice),
                ("/finish_reason", Finish),
                ("/logprobs", Logprobs),
                ("/text", ChoicePiece),
            ],
        ),
        (
            &["/choices/*/delta"],
            &[
                ("/*", ChoicePiece),
                ("/role", Plain),
                ("/tool_calls", Plain),
                ("/function_call", Plain),
                ("/audio", Plain),
                ("/function_call/name", Tool),
                ("/function_call/arguments", CallPiece),
                ("/audio/transcript", CallPiece),
                ("/audio/data", Media),
                ("/tool_calls/*/index", Call),
                ("/tool_calls/*/function/name", Tool),
                ("/tool_calls/*/function/arguments", CallPiece),
                ("/tool_calls/*/custom/name", Tool),
                ("/tool_calls/*/custom/input", CallPiece),
                ("/tool_calls/*/*", Arguments),
                ("/tool_calls/*/id", Plain),
                ("/tool_calls/*/type", Plain),
            ],
        ),
    ],
};

/// An output item, whole.
const ITEM: &[(&str, Mark)] = &[
    ("/name", Tool),
    ("/arguments", Arguments),
    ("/input", Arguments),
    ("/code", Arguments),
    ("/action", Arguments),
    ("/actions", Arguments),
    ("/operation", Arguments),
    ("/encrypted_content", Opaque),
    ("/result", Media),
    ("/content/*/text", Prose),
    ("/content/*/refusal", Prose),
    ("/content/*/transcript", Prose),
    ("/content/*/data", Media),
    ("/content/*/logprobs", Logprobs),
    ("/summary/*/text", Prose),
];

/// What a response says of itself.
const RESPONSE_EXEMPT: &[&str] = &[
    "/id",
    "/object",
    "/created_at",
    "/completed_at",
    "/model",
    "/status",
    "/usage",
    "/service_tier",
    "/tool_choice",
    "/truncation",
    "/reasoning",
    "/previous_response_id",
    "/conversation",
    "/text/format/type",
    "/text/format/name",
    "/text/verbosity",
    "/tools/*/type",
    "/tools/*/name",
    "/incomplete_details",
    "/error/code",
];

pub(super) const RESPONSES_ANSWER: Positions = Positions {
    exempt: &[(&[""], RESPONSE_EXEMPT), (&["/output/*"], ITEM_EXEMPT)],
    schemas: &["/tools/*/parameters", "/text/format/schema"],
    marks: &[(&["/output/*"], ITEM)],
};

pub(super) const RESPONSES_EVENTS: Positions = Positions {
    exempt: &[
        (
            &[""],
            &[
                "/type",
                "/item_id",
                "/output_index",
                "/content_index",
                "/summary_index",
                "/annotation_index",
                "/sequence_number",
                "/obfuscation",
                "/name",
                "/part/type",
                "/response_id",
                "/partial_image_index",
            ],
        ),
        (&["/response"], RESPONSE_EXEMPT),
        (&["/item", "/response/output/*"], ITEM_EXEMPT),
    ],
    schemas: &["/response/tools/*/parameters", "/response/text/format/schema"],
    marks: &[
        (
            &[""],
            &[
                ("/type", Type),
                ("/item_id", ItemId),
                ("/output_index", Output),
                ("/content_index", Content),
                ("/summary_index", Summary),
                ("/sequence_number", Sequence),
                ("/delta", ItemPiece),
                ("/text", Prose),
                ("/refusal", Prose),
                ("/transcript", Prose),
                ("/name", Tool),
                ("/arguments", Arguments),
                ("/input", Arguments),
                ("/code", Arguments),
                ("/logprobs", Logprobs),
                ("/partial_image_b64", Media),
                ("/part/text", Prose),
                ("/part/refusal", Prose),
                ("/part/transcript", Prose),
                ("/part/logprobs", Logprobs),
            ],
        ),
        (&["/item", "/response/output/*"], ITEM),
    ],
};
