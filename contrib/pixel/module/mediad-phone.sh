#!/bin/sh
# mediad's helper on the phone. NOT TRIED ON A PHONE: only on Linux, with made-up databases and a made-up /sys.
#
#   mediad-phone.sh [-c FILE] run       everything below, once
#   mediad-phone.sh [-c FILE] loop      run, every EVERY minutes
#   mediad-phone.sh [-c FILE] scan      tell Android of files that are new in the shared folder
#   mediad-phone.sh [-c FILE] hash      phone-hash.jsonl: SHA-256 of the files in the shared folder
#   mediad-phone.sh [-c FILE] google    google.jsonl: what Google Photos' own database lists as backed up (root)
#   mediad-phone.sh [-c FILE] report    phone.json: battery, heat, storage
#
# It removes nothing but its own scratch files, and changes no file that is not its own. POSIX sh, find -print0,
# xargs -0, stat -c, od, awk, sha256sum: Magisk's BusyBox, Termux and the toybox of newer Androids have them all.
set -eu
LC_ALL=C
export LC_ALL
umask 077

VERSION=1.0.0

say() { printf '%s\n' "mediad-phone: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
now() { printf '%s000' "$(date +%s)"; } # UTC milliseconds, as everywhere in mediad

absolute() {
  case $1 in /*) printf '%s' "$1" ;; *) printf '%s' "$PWD/$1" ;; esac
}

# ---------------------------------------------------------------- settings

SELF=$(absolute "$0")
CONF=${MEDIAD_PHONE_CONF:-}
if [ "${1:-}" = -c ]; then
  CONF=${2:?"-c needs a file"}
  shift 2
fi
if [ -z "$CONF" ]; then
  CONF=${SELF%/*}/mediad-phone.conf
fi
CONF=$(absolute "$CONF")
[ -r "$CONF" ] || die "no settings: $CONF"
SHARED='' REPORTS='' STATE='' EVERY=15 MIN_PERCENT=20 GOOGLE=yes
SYSFS=/sys
PHOTOS=/data/data/com.google.android.apps.photos/databases
# shellcheck source=/dev/null
. "$CONF"
SHARED=${SHARED%/} REPORTS=${REPORTS%/} STATE=${STATE%/}
for setting in "$SHARED" "$REPORTS" "$STATE"; do
  [ -n "$setting" ] || die "SHARED, REPORTS and STATE must be set in $CONF"
done
case $REPORTS/ in
  "$SHARED"/*) die "REPORTS lies inside SHARED: nothing written there ever reaches mediad" ;;
esac
MEDIAD_PHONE_CONF=$CONF
export MEDIAD_PHONE_CONF

# ---------------------------------------------------------------- JSON

# awk: bytes b[1..n] as one JSON string in pure ASCII. What is no UTF-8 becomes a lone \udcXX, byte by byte, as Python's
# surrogateescape has it: no name is ever changed or lost.
# shellcheck disable=SC2016  # an awk program
JSON='
function val(h) { return index("0123456789abcdef", substr(h, 1, 1)) * 16 + index("0123456789abcdef", substr(h, 2, 1)) - 17 }
function more(i, k,   j) { for (j = 1; j <= k; j++) if (i + j > n || b[i + j] < 128 || b[i + j] > 191) return 0; return 1 }
function json(   i, c, cp, s) {
  s = "\""
  for (i = 1; i <= n; i++) {
    c = b[i]
    if (c == 34) s = s "\\\""
    else if (c == 92) s = s "\\\\"
    else if (c < 32 || c == 127) s = s sprintf("\\u%04x", c)
    else if (c < 128) s = s sprintf("%c", c)
    else if (c >= 194 && c <= 223 && more(i, 1)) { s = s sprintf("\\u%04x", (c - 192) * 64 + b[i + 1] - 128); i += 1 }
    else if (c >= 224 && c <= 239 && more(i, 2)) {
      cp = (c - 224) * 4096 + (b[i + 1] - 128) * 64 + b[i + 2] - 128
      if (cp < 2048 || (cp >= 55296 && cp <= 57343)) s = s sprintf("\\udc%02x", c)
      else { s = s sprintf("\\u%04x", cp); i += 2 }
    }
    else if (c >= 240 && c <= 244 && more(i, 3)) {
      cp = (c - 240) * 262144 + (b[i + 1] - 128) * 4096 + (b[i + 2] - 128) * 64 + b[i + 3] - 128
      if (cp < 65536 || cp > 1114111) s = s sprintf("\\udc%02x", c)
      else { cp -= 65536; s = s sprintf("\\u%04x\\u%04x", 55296 + int(cp / 1024), 56320 + cp % 1024); i += 3 }
    }
    else s = s sprintf("\\udc%02x", c)
  }
  return s "\""
}
function unhex(h,   i) { n = 0; h = tolower(h); for (i = 1; i < length(h); i += 2) b[++n] = val(substr(h, i, 2)) }
'

json_names() { # json_names NAME...: each as a JSON string on a line of its own
  printf '%s\0' "$@" | od -An -v -tx1 |
    awk "$JSON"'{ for (f = 1; f <= NF; f++) if ($f == "00") { print json(); n = 0 } else b[++n] = val($f) }'
}

json_number() { # a number as it is, anything else null
  case ${1:-} in
    '' | *[!0-9.-]*) printf null ;;
    *) printf '%s' "$1" ;;
  esac
}

publish() { # publish NAME: standard input becomes REPORTS/NAME, whole or not at all; left alone if it says the same
  part=$REPORTS/.syncthing.mediad-$1.tmp # Syncthing passes over such names
  (umask 022 && cat >"$part")
  if cmp -s "$part" "$REPORTS/$1"; then
    rm -f "$part"
  else
    mv -f "$part" "$REPORTS/$1"
  fi
}

# ---------------------------------------------------------------- which files are new

each_file() { # each_file COMMAND: this script again, with the names of up to 100 files of the shared folder at a time
  (cd "$SHARED" && find . -maxdepth 1 -type f ! -name '.*' ! -name '~syncthing~*' -print0 |
    xargs -0 -n 100 sh "$SELF" -c "$CONF" "$1")
}

# The cards of the named files, "SIZE MTIME CTIME NAME-AS-JSON", each with "new" before it unless the ledger has it.
cards() { # cards LEDGER NAME...
  ledger=$1
  shift
  : >>"$ledger"
  stat -c '%s %Y %Z' -- "$@" >"$SCRATCH/stats" 2>/dev/null || return 1 # one of them went away: the next run sees to it
  json_names "$@" | sed 's|^"\./|"|' >"$SCRATCH/names"
  paste -d ' ' "$SCRATCH/stats" "$SCRATCH/names" |
    awk 'known { seen[$0] = 1; next } { print (($0 in seen) ? "old " : "new ") $0 }' known=1 "$ledger" known=0 -
}

# ---------------------------------------------------------------- scan: Android learns of new files

url_path() {
  printf '%s' "$1" | od -An -v -tx1 | awk '{
    for (f = 1; f <= NF; f++) {
      c = (index("0123456789abcdef", substr($f, 1, 1)) - 1) * 16 + index("0123456789abcdef", substr($f, 2, 1)) - 1
      is_plain = c < 128 && sprintf("%c", c) ~ /[A-Za-z0-9\/._~-]/
      printf "%s", is_plain ? sprintf("%c", c) : "%" toupper($f)
    }
  }'
}

scanner() { # which way there is to tell Android of a file
  if is_root && has content && [ "$(sdk)" -ge 30 ]; then
    echo content
  elif has termux-media-scan && ! is_root; then
    echo termux
  elif has am; then
    echo broadcast
  else
    echo none
  fi
}

is_root() { [ "$(id -u)" = 0 ]; }

sdk() {
  level=$(getprop ro.build.version.sdk 2>/dev/null || true)
  case $level in
    '' | *[!0-9]*) echo 0 ;;
    *) echo "$level" ;;
  esac
}

scan_one() {
  case $SCANNER in
    content) content call --uri content://media --method scan_file --arg "$1" ;;
    termux) termux-media-scan "$1" ;;
    broadcast) am broadcast -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d "file://$(url_path "$1")" ;;
    *) return 1 ;;
  esac >/dev/null 2>&1 </dev/null
}

is_not_listed() { # Android's index was asked, and has no such file. Where it cannot be asked, nobody says so.
  is_root && has content || return 1
  where=$(printf '%s' "$1" | sed "s/'/''/g")
  answer=$(content query --uri content://media/external/file --projection _id --where "_data='$where'" 2>/dev/null </dev/null) ||
    return 1
  case $answer in
    *_id=*) return 1 ;;
    *'No result'*) return 0 ;;
    *) return 1 ;;
  esac
}

scan_some() {
  SCANNER=$(scanner)
  cd "$SHARED"
  cards "$STATE/scanned" "$@" >"$SCRATCH/cards" || return 0
  exec 3<"$SCRATCH/cards"
  for file in "$@"; do
    IFS= read -r card <&3 || break
    case $card in
      new\ *)
        path=$SHARED/${file#./}
        if scan_one "$path" && ! is_not_listed "$path"; then
          printf '%s\n' "${card#new }" >>"$STATE/scanned"
        fi # else it is told again at the next run
        ;;
    esac
  done
  exec 3<&-
}

# ---------------------------------------------------------------- hash: which bytes lie on the phone

is_low() { # too little charge to work hard, as far as one can tell
  percent=$(battery capacity)
  case $percent in '' | *[!0-9]*) return 1 ;; esac
  [ "$percent" -lt "$MIN_PERCENT" ] && [ "$(battery status)" = Discharging ]
}

hash_some() {
  cd "$SHARED"
  cards "$STATE/hashed" "$@" >"$SCRATCH/cards" || return 0
  exec 3<"$SCRATCH/cards"
  for file in "$@"; do
    IFS= read -r card <&3 || break
    case $card in new\ *) hash_one "$file" "${card#new }" ;; esac
  done
  exec 3<&-
}

hash_one() { # hash_one FILE CARD: a line of evidence, unless the file changed while it was read
  sum=$(sha256sum <"$1") || return 0
  sum=${sum%% *}
  stats=$(stat -c '%s %Y %Z' -- "$1" 2>/dev/null) || return 0
  name=${2#* * * }
  if [ "$2" != "$stats $name" ] || [ "${#sum}" -ne 64 ]; then
    return 0
  fi
  printf '{"name":%s,"size":%s,"sha256":"%s","state":"phone-hash","at":%s}\n' "$name" "${2%% *}" "$sum" "$(now)" \
    >>"$STATE/phone-hash.jsonl"
  printf '%s\n' "$2" >>"$STATE/hashed" # only now: a power cut before this costs a second hash, never a missing line
}

# ---------------------------------------------------------------- google: what its own database says

# awk: rows "NAME-IN-HEX SIZE DEDUP-KEY" to evidence. The dedup key is given as a SHA-1 only where it has the form of one
# (27 letters of base64url, the last two bits zero). Whether it is one, mediad finds out: it hashes its own bytes.
# shellcheck disable=SC2016  # an awk program
EVIDENCE='
function sha1(key,   alphabet, bits, k, v, out, acc, p) {
  alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  sub(/=+$/, "", key)
  if (length(key) != 27) return ""
  out = ""; acc = 0; bits = 0
  for (k = 1; k <= 27; k++) {
    v = index(alphabet, substr(key, k, 1)) - 1
    if (v < 0) return ""
    acc = acc * 64 + v; bits += 6
    while (bits >= 4) { p = 2 ^ (bits - 4); out = out sprintf("%x", int(acc / p)); acc = acc % p; bits -= 4 }
  }
  return acc == 0 ? out : ""
}
known { line = $0; sub(/,"at":[0-9]+\}$/, "", line); seen[line] = 1; next }
{
  unhex($1)
  line = "{\"name\":" json() ",\"size\":" $2 ",\"sha1\":\"" sha1($3) "\",\"state\":\"backed-up\""
  if (!(line in seen)) print line ",\"at\":" at "}"
  seen[line] = 1
}'

sql() { # sql DATABASE STATEMENT
  sqlite3 -batch -init /dev/null -noheader -separator ' ' "$1" "$2" 2>/dev/null
}

columns() { sql "$1" "PRAGMA table_info($2)" | awk '{ print $2 }'; }

trouble() { # trouble STATE DETAIL: said in google.jsonl in place of evidence; the time stays that of the first such run
  if [ "$(sed -n 1p "$STATE/trouble" 2>/dev/null)" != "$1 $2" ]; then
    printf '%s\n%s\n' "$1 $2" "$(now)" >"$STATE/trouble"
  fi
  printf '{"state":"%s","detail":%s,"at":%s}\n' "$1" "$(json_names "$2")" "$(sed -n 2p "$STATE/trouble")" \
    >>"$SCRATCH/trouble"
}

print_of() { stat -c '%n %s %Y %Z' -- "$1" "$1-wal" 2>/dev/null || true; }

copy_of() { # copy_of DATABASE: a copy that did not change under our hands, and is sound; never opens the original
  for _ in 1 2 3; do
    rm -f "$SCRATCH"/photos.db*
    before=$(print_of "$1")
    cp "$1" "$SCRATCH/photos.db" || return 1
    if [ -f "$1-wal" ]; then
      cp "$1-wal" "$SCRATCH/photos.db-wal" || return 1
    fi
    if [ "$before" = "$(print_of "$1")" ] && [ "$(sql "$SCRATCH/photos.db" 'PRAGMA quick_check(1)')" = ok ]; then
      return 0
    fi
  done
  return 1
}

lacks() { # lacks COLUMNS NAME...: the first of the names that is not among the columns
  there=$1
  shift
  for column in "$@"; do
    printf '%s\n' "$there" | grep -qx "$column" || { echo "$column"; return 0; }
  done
  return 1
}

look_into() { # look_into DATABASE
  name=${1##*/}
  copy_of "$1" || { trouble busy "$name could not be copied sound"; return 0; }
  copy=$SCRATCH/photos.db
  here=$(columns "$copy" local_media)
  there=$(columns "$copy" remote_media)
  if missing=$(lacks "$here" dedup_key filepath size_bytes); then
    trouble unknown-schema "$name: local_media has no $missing"
    return 0
  fi
  if missing=$(lacks "$there" dedup_key media_key upload_status state); then
    trouble unknown-schema "$name: remote_media has no $missing"
    return 0
  fi
  # 100: uploaded whole; state 0: neither deleted nor about to be.
  rule='r.upload_status = 100 AND r.state = 0'
  lacks "$there" trash_timestamp >/dev/null || rule="$rule AND coalesce(r.trash_timestamp, 0) = 0"
  lacks "$there" partial_backup >/dev/null || rule="$rule AND coalesce(r.partial_backup, 0) = 0"
  folder="CAST(X'$(printf '%s/' "$SHARED" | od -An -v -tx1 | tr -d ' \n')' AS TEXT)"
  sql "$copy" "SELECT DISTINCT hex(substr(l.filepath, length($folder) + 1)), l.size_bytes, l.dedup_key
    FROM local_media l JOIN remote_media r ON r.dedup_key = l.dedup_key
    WHERE $rule AND l.size_bytes > 0 AND l.dedup_key NOT LIKE '% %'
      AND substr(l.filepath, 1, length($folder)) = $folder
      AND instr(substr(l.filepath, length($folder) + 1), '/') = 0" >"$SCRATCH/rows" ||
    { trouble unknown-schema "$name could not be asked"; return 0; }
  awk -v at="$(now)" "$JSON$EVIDENCE" known=1 "$STATE/google.jsonl" known=0 "$SCRATCH/rows" >"$SCRATCH/found"
  cat "$SCRATCH/found" >>"$STATE/google.jsonl"
}

google() {
  [ "$GOOGLE" = yes ] || return 0
  : >"$SCRATCH/trouble"
  : >>"$STATE/google.jsonl"
  if ! has sqlite3; then
    trouble no-sqlite3 "there is no sqlite3 program to read the database with"
  elif ! is_root && [ ! -r "$PHOTOS" ]; then
    trouble no-root "the databases of Google Photos cannot be read without root"
  else
    found=no
    for database in "$PHOTOS"/gphotos[0-9]*.db; do
      [ -f "$database" ] || continue
      found=yes
      look_into "$database"
    done
    [ $found = yes ] || trouble no-database "no database of Google Photos is where it was expected"
  fi
  cat "$STATE/google.jsonl" "$SCRATCH/trouble" | publish google.jsonl
}

# ---------------------------------------------------------------- report: how the phone is

battery() { # battery capacity|status|temp, from the kernel or from Termux; nothing where nobody tells
  if [ -r "$SYSFS/class/power_supply/battery/$1" ]; then
    cat "$SYSFS/class/power_supply/battery/$1"
  elif has termux-battery-status; then
    case $1 in capacity) key=percentage ;; temp) key=temperature ;; *) key=$1 ;; esac
    termux-battery-status 2>/dev/null </dev/null | sed -n "s/^ *\"$key\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" |
      awk -v key="$key" 'key == "temperature" { print int($1 * 10 + 0.5); next }
        key == "status" { print toupper(substr($0, 1, 1)) tolower(substr($0, 2)); next } { print }'
  fi
}

celsius() { # from tenths of a degree
  case ${1:-} in '' | *[!0-9-]*) printf null ;; *) awk -v t="$1" 'BEGIN { printf "%.1f", t / 10 }' ;; esac
}

zones() { # the kernel's thermal zones as it gives them: their units differ from phone to phone
  comma=''
  for zone in "$SYSFS"/class/thermal/thermal_zone*; do
    value=$(cat "$zone/temp" 2>/dev/null) || continue
    printf '%s%s:%s' "$comma" "$(json_names "${zone##*/} $(cat "$zone/type" 2>/dev/null)")" "$(json_number "$value")"
    comma=,
  done
}

room() { # room 2|4: total or free bytes of the file system of the shared folder
  df -k -P "$SHARED" 2>/dev/null | awk -v column="$1" 'NR == 2 { printf "%.0f", $column * 1024 }'
}

property() { json_names "$(getprop "$1" 2>/dev/null || true)"; }

report() {
  rooted=false
  is_root && rooted=true
  {
    printf '{"format":"mediad-phone/1","at":%s,"helper":"%s","tried_on_a_phone":false,' "$(now)" "$VERSION"
    printf '"model":%s,"android":%s,"root":%s,' "$(property ro.product.model)" "$(property ro.build.version.release)" $rooted
    printf '"battery":{"percent":%s,"status":%s,"celsius":%s},' \
      "$(json_number "$(battery capacity)")" "$(json_names "$(battery status)")" "$(celsius "$(battery temp)")"
    printf '"zones":{%s},' "$(zones)"
    printf '"storage":{"total_bytes":%s,"free_bytes":%s},' "$(json_number "$(room 2)")" "$(json_number "$(room 4)")"
    printf '"scanner":"%s"}\n' "$(scanner)"
  } | publish phone.json
}

# ---------------------------------------------------------------- the day's work

hash_all() {
  if is_low; then
    say "the charge is low: nothing is hashed now"
  else
    each_file hash-some
  fi
  : >>"$STATE/phone-hash.jsonl"
  publish phone-hash.jsonl <"$STATE/phone-hash.jsonl"
}

one_run() { # each part by itself: what goes wrong in one keeps nobody from the next
  for part in scan hash google report; do
    sh "$SELF" -c "$CONF" "$part" || say "$part did not end well"
  done
}

locked() { # one run at a time; the lock of a run that died, or of the time before a restart, is taken over
  boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)
  if ! mkdir "$STATE/lock" 2>/dev/null; then
    holder=$(cat "$STATE/lock/holder" 2>/dev/null || true)
    if [ "${holder% *}" = "$boot" ] && kill -0 "${holder#* }" 2>/dev/null; then
      die "another run (process ${holder#* }) is at work"
    fi
  fi
  echo "$boot $$" >"$STATE/lock/holder"
  trap 'rm -rf "$STATE/lock"' EXIT
  trap 'exit 1' HUP INT TERM
}

scratch() { # a folder of our own, gone again at the end
  SCRATCH=$STATE/scratch.$$
  rm -rf "$SCRATCH"
  mkdir "$SCRATCH"
  trap 'rm -rf "$SCRATCH"' EXIT
  trap 'exit 1' HUP INT TERM
}

ready() { [ -d "$SHARED" ] && [ -d "$REPORTS" ]; }

mkdir -p "$STATE"
command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  run)
    ready || die "SHARED or REPORTS is no folder: $SHARED, $REPORTS"
    locked
    one_run
    ;;
  loop)
    locked
    while :; do
      if ready; then one_run; else say "waiting for $SHARED and $REPORTS"; fi
      sleep $((EVERY * 60))
    done
    ;;
  scan | hash | google | report)
    ready || die "SHARED or REPORTS is no folder: $SHARED, $REPORTS"
    scratch
    case $command in
      scan) each_file scan-some ;;
      hash) hash_all ;;
      google) google ;;
      report) report ;;
    esac
    ;;
  scan-some) scratch; scan_some "$@" ;; # from each_file
  hash-some) scratch; hash_some "$@" ;;
  *)
    sed -n '2,/^set /{ /^#/s/^# \{0,1\}//p; }' "$0" >&2
    exit 2
    ;;
esac
