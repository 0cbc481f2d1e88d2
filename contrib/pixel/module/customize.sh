# shellcheck shell=sh
# NOT TRIED ON A PHONE. Sourced by Magisk's installer, which offers ui_print, set_perm and MODPATH; must not exit.
ui_print "mediad phone helper: NOT TRIED ON A PHONE"
ui_print "It removes nothing. Read README.md of contrib/pixel before you trust what it writes."

keep=/data/adb/mediad-phone
mkdir -p "$keep"
set_perm "$keep" 0 0 0700
if [ ! -f "$keep/mediad-phone.conf" ]; then
  cp "$MODPATH/mediad-phone.conf" "$keep/mediad-phone.conf"
fi
set_perm "$keep/mediad-phone.conf" 0 0 0600
set_perm "$MODPATH/mediad-phone.sh" 0 0 0755
ui_print "Its settings: $keep/mediad-phone.conf"
