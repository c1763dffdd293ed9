//! Secrets of other vendors: a table.
//!
//! Each row is a literal that the vendor documents and a body long enough that no word has it.

use crate::detector::{Body, Detector, Example};
use crate::view::Class;

use super::tokens::row;

const BASE64URL: Class = Class::IDENT;
const SOURCE: &str = "token format as the vendor documents it";

/// Filler that is as good as any body: hexadecimal digits, or letters alone.
const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

const fn vendor(
    id: &'static str,
    description: &'static str,
    literals: &'static [&'static [u8]],
    class: Class,
    len_min: usize,
    examples: &'static [Example],
) -> Detector {
    let body = Body { class, len_min, edge: Class::WORD };
    Detector { examples, ..row(id, description, SOURCE, literals, body) }
}

const fn found(parts: &'static [&'static str]) -> [Example; 1] {
    [Example::new("use ", parts, " ok")]
}

pub(super) const DETECTORS: &[Detector] = &[
    vendor(
        "shopify-token",
        "Shopify access token or secret",
        &[b"shpat_", b"shpss_", b"shpca_", b"shppa_"],
        Class::HEX,
        32,
        &found(&["shp", "at_", HEX]),
    ),
    vendor("pypi-token", "PyPI upload token", &[b"pypi-AgE"], BASE64URL, 50, &found(&["pypi", "-AgE", HEX])),
    vendor(
        "hugging-face-token",
        "Hugging Face access token",
        &[b"hf_"],
        Class::ALPHA,
        30,
        &found(&["h", "f_", LETTERS]),
    ),
    vendor(
        "digitalocean-token",
        "DigitalOcean token",
        &[b"dop_v1_", b"doo_v1_", b"dor_v1_"],
        Class::HEX,
        40,
        &found(&["dop", "_v1_", HEX]),
    ),
    vendor(
        "square-token",
        "Square access token or OAuth secret",
        &[b"sq0atp-", b"sq0csp-"],
        BASE64URL,
        22,
        &found(&["sq0", "atp-", HEX]),
    ),
    vendor(
        "razorpay-key",
        "Razorpay key",
        &[b"rzp_live_", b"rzp_test_"],
        Class::ALNUM,
        14,
        &found(&["rzp_", "live_", HEX]),
    ),
    vendor(
        "flutterwave-secret-key",
        "Flutterwave secret key",
        &[b"FLWSECK-", b"FLWSECK_TEST-"],
        BASE64URL,
        12,
        &found(&["FLWS", "ECK-", HEX]),
    ),
    vendor(
        "easypost-key",
        "EasyPost API key",
        &[b"EZAK", b"EZTK"],
        Class::ALNUM,
        54,
        &found(&["EZ", "AK", HEX]),
    ),
    vendor(
        "docker-token",
        "Docker Hub access token",
        &[b"dckr_pat_", b"dckr_oat_"],
        BASE64URL,
        27,
        &found(&["dckr", "_pat_", HEX]),
    ),
    vendor("figma-token", "Figma access token", &[b"figd_"], BASE64URL, 36, &found(&["fi", "gd_", HEX])),
    vendor(
        "linear-api-key",
        "Linear API key",
        &[b"lin_api_"],
        Class::ALNUM,
        40,
        &found(&["lin_", "api_", HEX]),
    ),
    vendor(
        "notion-token",
        "Notion integration token",
        &[b"ntn_"],
        Class::ALNUM,
        40,
        &found(&["nt", "n_", HEX]),
    ),
    vendor("postman-api-key", "Postman API key", &[b"PMAK-"], BASE64URL, 40, &found(&["PM", "AK-", HEX])),
    vendor(
        "grafana-token",
        "Grafana service account token",
        &[b"glsa_"],
        Class::WORD,
        32,
        &found(&["gl", "sa_", HEX]),
    ),
    vendor(
        "vault-token",
        "HashiCorp Vault token",
        &[b"hvs.", b"hvb."],
        BASE64URL,
        24,
        &found(&["hv", "s.", HEX]),
    ),
    vendor(
        "age-secret-key",
        "age secret key",
        &[b"AGE-SECRET-KEY-1"],
        Class::ALNUM,
        58,
        &found(&["AGE-SECR", "ET-KEY-1", HEX]),
    ),
    vendor(
        "atlassian-token",
        "Atlassian API token",
        &[b"ATATT3", b"ATCTT3"],
        BASE64URL.with(b"="),
        60,
        &found(&["ATA", "TT3", HEX]),
    ),
    vendor("pulumi-token", "Pulumi access token", &[b"pul-"], Class::HEX, 40, &found(&["pu", "l-", HEX])),
    vendor(
        "databricks-token",
        "Databricks access token",
        &[b"dapi"],
        Class::HEX,
        32,
        &found(&["da", "pi", HEX]),
    ),
    vendor(
        "sentry-token",
        "Sentry authentication token",
        &[b"sntrys_", b"sntryu_"],
        BASE64URL.with(b"+/="),
        40,
        &found(&["snt", "rys_", HEX]),
    ),
    vendor("brevo-api-key", "Brevo API key", &[b"xkeysib-"], BASE64URL, 64, &found(&["xkey", "sib-", HEX])),
    vendor("groq-api-key", "Groq API key", &[b"gsk_"], Class::ALNUM, 48, &found(&["gs", "k_", HEX])),
    vendor("replicate-token", "Replicate API token", &[b"r8_"], Class::ALNUM, 36, &found(&["r", "8_", HEX])),
    vendor(
        "perplexity-api-key",
        "Perplexity API key",
        &[b"pplx-"],
        Class::ALNUM,
        40,
        &found(&["pp", "lx-", HEX]),
    ),
    vendor("xai-api-key", "xAI API key", &[b"xai-"], Class::ALNUM, 70, &found(&["xa", "i-", HEX, HEX])),
    vendor(
        "langsmith-api-key",
        "LangSmith API key",
        &[b"lsv2_pt_", b"lsv2_sk_"],
        Class::WORD,
        32,
        &found(&["lsv2", "_pt_", HEX]),
    ),
    vendor("new-relic-key", "New Relic user key", &[b"NRAK-"], Class::ALNUM, 27, &found(&["NR", "AK-", HEX])),
    vendor("posthog-key", "PostHog key", &[b"phx_"], Class::ALNUM, 40, &found(&["ph", "x_", HEX])),
    vendor("netlify-token", "Netlify access token", &[b"nfp_"], Class::ALNUM, 36, &found(&["nf", "p_", HEX])),
    vendor(
        "bedrock-api-key",
        "AWS Bedrock API key",
        &[b"ABSK"],
        BASE64URL.with(b"+/="),
        100,
        &found(&["AB", "SK", HEX, HEX]),
    ),
    vendor(
        "doppler-token",
        "Doppler token",
        &[b"dp.pt.", b"dp.st.", b"dp.ct.", b"dp.sa."],
        BASE64URL.with(b"."),
        40,
        &found(&["dp.", "pt.", HEX]),
    ),
    vendor("tailscale-key", "Tailscale key", &[b"tskey-"], BASE64URL, 20, &found(&["tsk", "ey-", HEX])),
    vendor(
        "typeform-token",
        "Typeform access token",
        &[b"tfp_"],
        BASE64URL.with(b"."),
        40,
        &found(&["tf", "p_", HEX]),
    ),
    vendor(
        "sonar-token",
        "SonarQube token",
        &[b"squ_", b"sqp_", b"sqa_"],
        Class::HEX,
        40,
        &found(&["sq", "u_", HEX]),
    ),
    vendor(
        "dynatrace-token",
        "Dynatrace token",
        &[b"dt0c01.", b"dt0s01."],
        BASE64URL.with(b"."),
        60,
        &found(&["dt0", "c01.", HEX]),
    ),
    vendor(
        "contentful-token",
        "Contentful access token",
        &[b"CFPAT-"],
        BASE64URL,
        40,
        &found(&["CFP", "AT-", HEX]),
    ),
    vendor(
        "onepassword-token",
        "1Password service account token",
        &[b"ops_eyJ"],
        BASE64URL,
        200,
        &found(&["ops", "_eyJ", HEX, HEX, HEX, HEX]),
    ),
    vendor(
        "supabase-key",
        "Supabase access token or secret key",
        &[b"sbp_", b"sb_secret_"],
        Class::WORD,
        30,
        &found(&["sb", "p_", HEX]),
    ),
];
