#!/system/bin/sh
# NOT TRIED ON A PHONE. Magisk runs this at each start, beside the start of Android and never before it.
MODDIR=${0%/*}
keep=/data/adb/mediad-phone

# The shared storage is there only once Android is up and the phone was unlocked; until then the helper waits itself.
until [ "$(getprop sys.boot_completed)" = 1 ]; do
  sleep 10
done
sh "$MODDIR/mediad-phone.sh" -c "$keep/mediad-phone.conf" loop >"$keep/log" 2>&1 &
