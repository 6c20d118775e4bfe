# Prints what apt would install, between two lines that say ANSWER; run in a base, by its shell.
#
# KEPT are versions that it shall take where it still can, a line each; THERE are those that are installed by now,
# which the base's own list of packages does not have; WORDS is what is asked for.
set -e
export LC_ALL=C
command -v apt-get >/dev/null || { printf '%s\nNo apt\n%s\n' "$ANSWER" "$ANSWER"; exit 0; }
folder=$(mktemp -d)
rm -f /etc/apt/apt.conf.d/docker-clean
apt-get update -o APT::Update::Error-Mode=any || { echo 'apt-get update failed'; exit 70; }
cp /var/lib/dpkg/status "$folder/status"
if [ -n "$THERE" ]; then
    apt-cache show $THERE > "$folder/there"
    awk 'BEGIN { RS = ""; ORS = "\n\n" }
        {
            name = architecture = ""
            count = split($0, lines, "\n")
            for (n = 1; n <= count; n++) {
                if (lines[n] ~ /^Package: /) name = substr(lines[n], 10)
                if (lines[n] ~ /^Architecture: /) architecture = substr(lines[n], 15)
            }
            key = name ":" architecture
        }
        FNR == NR && !(key in seen) {
            seen[key]
            if ($0 !~ /\nStatus: /) sub(/Package: [^\n]*/, "&\nStatus: install ok installed")
            print
        }
        FNR != NR && !(key in seen)' "$folder/there" /var/lib/dpkg/status > "$folder/status"
fi
cat /etc/apt/preferences > "$folder/preferences" 2>/dev/null || true
printf '%s\n' "$KEPT" | while IFS='=' read -r name version; do
    [ -z "$name" ] || printf '\nPackage: %s\nPin: version %s\nPin-Priority: 999\n' "$name" "$version"
done >> "$folder/preferences"
would() {
    apt-get install -s -q=0 -y $OPTIONS -o "Dir::State::status=$folder/status" "$@" $WORDS > "$folder/said" 2> "$folder/errors"
}
would -o "Dir::Etc::preferences=$folder/preferences" || would || { cat "$folder/said" "$folder/errors"; exit 71; }
echo "$ANSWER"
grep -hE '^(Inst |Remv |Note, selecting )' "$folder/said" "$folder/errors" || true
for word in $WORDS; do
    apt-cache -o "Dir::State::status=$folder/status" policy "${word%%[=/]*}" | sed -n '1s/:$//p; s/^  Installed: /  /p'
done
echo "$ANSWER"
