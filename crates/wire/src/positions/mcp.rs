//! Messages of the Model Context Protocol, requests and answers of both sides alike.

use super::Mark::*;
use super::Positions;

/// Where content blocks stand: results of tools, prompts, and what a server has a model say or asks it.
const BLOCKS: &[&str] = &[
    "/result/content",
    "/result/content/*",
    "/result/messages/*/content",
    "/result/messages/*/content/*",
    "/params/messages/*/content",
    "/params/messages/*/content/*",
    "/params/messages/*/content/*/content/*",
];

/// Names of fields say nothing of values in definitions, and nothing of who stands behind them in what the two sides
/// tell of themselves. What must come back as it was is sealed.
pub(crate) const MESSAGE: Positions = Positions {
    exempt: &[],
    schemas: &[
        "/jsonrpc",
        "/method",
        "/params/_meta",
        "/params/name",
        "/params/clientInfo",
        "/params/capabilities",
        "/params/modelPreferences",
        "/params/requestedSchema",
        "/params/tools",
        "/result/_meta",
        "/result/serverInfo",
        "/result/capabilities",
        "/result/tools",
        "/result/prompts",
        "/result/inputRequests/*/params/requestedSchema",
        "/result/inputRequests/*/params/modelPreferences",
        "/result/inputRequests/*/params/tools",
    ],
    marks: &[
        (
            &[""],
            &[
                ("/id", Sealed),
                ("/params/requestId", Sealed),
                ("/params/requestState", Sealed),
                ("/params/progressToken", Sealed),
                ("/params/_meta/progressToken", Sealed),
                ("/params/taskId", Sealed),
                ("/result/requestState", Sealed),
                ("/result/contents/*/blob", Media),
            ],
        ),
        (BLOCKS, &[("/type", Type), ("/data", Media), ("/resource/blob", Media)]),
    ],
};
