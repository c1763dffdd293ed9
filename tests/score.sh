#!/usr/bin/env bash
# Scores the evasion cases and the detection cases, where they are at hand.
#
#   tests/score.sh [FOLDER]      FOLDER: the shared test data; else OBELUS_SHARED, else ../shared
#
# Fails if a case that must pass does not and is not listed in tests/decisions/evasion.txt, if a benign case is
# changed, if a labelled value of the Stripe fixtures is missed or more than three others are found there, or if
# there was nothing to score.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
shared=${1:-${OBELUS_SHARED:-$top/../shared}}
if [ ! -d "$shared/adversarial" ] || [ ! -d "$shared/detection" ]; then
  echo "score: no cases below $shared" >&2
  exit 2
fi
shared=$(cd "$shared" && pwd)
cd "$top"
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
out=$target/score
mkdir -p "$out"

# As `cargo test --workspace` builds them, so that nothing is built twice.
cargo build --quiet --workspace --bins --examples
if [ ! -x "$out/venv/bin/python" ]; then
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install --quiet brotli zstandard
fi
python="$out/venv/bin/python -B"

status=0
for cases in "$shared"/adversarial/*.jsonl; do
  echo "== evasion: $(basename "$cases")"
  "$target/debug/adversarial" "$cases" "$out/adversarial.results.jsonl" --surface lib,stream,http,vault,gate
  $python "$shared/adversarial/advtool.py" score "$cases" "$out/adversarial.results.jsonl" \
    > "$out/adversarial.txt" || true
  cat "$out/adversarial.txt"
  $python - "$cases" "$out/adversarial.txt" tests/decisions/evasion.txt <<'PY' || status=1
import json, sys
cases = {case["id"]: case for case in map(json.loads, open(sys.argv[1], encoding="utf-8"))}
failed = {line.split()[1] for line in open(sys.argv[2], encoding="utf-8") if line.startswith("FAIL ")}
listed = {line.split()[0] for line in open(sys.argv[3], encoding="utf-8") if line.strip() and line[0] != "#"}
wrong = sorted(name for name in failed & cases.keys() - listed
               if cases[name]["difficulty"] == "must" or cases[name]["category"] == "benign")
for name in wrong:
    print("score: must pass:", name)
sys.exit(bool(wrong))
PY
done

echo "== detection: fixtures of the Stripe description"
$python "$shared/detection/predict.py" "$shared/detection/dev.jsonl.gz" "$out/predictions.jsonl" \
  --obelus "$target/debug/obelus"
$python "$shared/detection/score.py" "$shared/detection/dev.jsonl.gz" "$out/predictions.jsonl" \
  --source stripe-openapi | tee "$out/fixtures.txt"
awk '/^ALL HARD TYPES/ { seen = 1; if ($5 < 100 || $9 > 3) bad = 1 }
     END { if (!seen || bad) { print "score: a labelled value of the fixtures was missed, or more than three others found"; exit 1 } }' \
  "$out/fixtures.txt" || status=1
cases=$($python - "$shared/detection/dev.jsonl.gz" <<'PY'
import gzip, json, sys
print(sum(json.loads(line)["source"] == "stripe-openapi" for line in gzip.open(sys.argv[1])))
PY
)
if [ "$cases" -eq 0 ]; then
  echo "score: no case of the Stripe description was selected" >&2
  exit 1
fi
echo "== detection: all sources ($cases of them the Stripe description)"
$python "$shared/detection/score.py" "$shared/detection/dev.jsonl.gz" "$out/predictions.jsonl"
exit $status
