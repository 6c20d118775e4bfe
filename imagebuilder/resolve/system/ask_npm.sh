# Prints the lock that npm makes of packages, between two lines that say ANSWER; run in a base, by its shell.
#
# FILES is a folder with a package.json that depends on them, and with the parts of a lock, empty where there was none,
# whose versions stay where they fit.
# The lock is packed, since a builder drops lines where a command prints much at once.
set -e
npm=$(npm --version 2>/dev/null) || { printf '%s\nNo npm\n%s\n' "$ANSWER" "$ANSWER"; exit 0; }
[ "${npm%%.*}" -ge 9 ] || { printf '%s\nOld npm %s\n%s\n' "$ANSWER" "$npm" "$ANSWER"; exit 0; }
folder=$(mktemp -d)
cd "$folder"
cp "$FILES/package.json" .
cat "$FILES"/lock.* > package-lock.json
[ -s package-lock.json ] || rm package-lock.json
export npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
choose() {
    npm install --package-lock-only --ignore-scripts --no-omit-lockfile-registry-resolved --install-strategy=shallow "$@"
}
choose || choose --legacy-peer-deps || exit 71
# A global install has the peers of what it installs below that, as if they were plain dependencies.
node -e '
    const lock = JSON.parse(fs.readFileSync("package-lock.json"))
    const asked = lock.packages[""].dependencies
    for (const [at, entry] of Object.entries(lock.packages)) {
        const [, name, below] = at.split(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)
        if (name && !(name in asked)) delete lock.packages[at]
        else if (name && !below && entry.peerDependencies) {
            const optional = entry.peerDependenciesMeta || {}
            const wanted = Object.entries(entry.peerDependencies).filter(([peer]) => !(optional[peer] || {}).optional)
            entry.dependencies = { ...Object.fromEntries(wanted), ...entry.dependencies }
            delete entry.peerDependencies
            delete entry.peerDependenciesMeta
        }
    }
    fs.writeFileSync("package-lock.json", JSON.stringify(lock))
'
choose || exit 71
echo "$ANSWER"
node -e 'process.stdout.write(zlib.deflateSync(fs.readFileSync("package-lock.json")).toString("base64").replace(/.{1,1000}/g, "$&\n"))'
echo "$ANSWER"
