#!/system/bin/sh
# NOT TRIED ON A PHONE. Magisk runs this when the module is removed: only what the helper itself remembers goes.
# The shared folder, the reports and the photos stay as they are.
rm -rf /data/adb/mediad-phone
