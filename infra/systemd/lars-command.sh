#!/bin/sh
# The command lars as the service's user, with the service's settings and data: installed by scripts/deploy.sh --mode
# systemd as /usr/local/sbin/lars. For example: lars keys add --name NAME --env prod
set -eu

if [ "$(id -u)" != 0 ]; then
    echo "lars: it works on the data of the service: run it with sudo." >&2
    exit 1
fi
case ${1-} in
serve)
    echo "lars: the service is started by systemd: systemctl start lars" >&2
    exit 2
    ;;
'' | -*) exec /opt/lars/current/venv/bin/python -m service "$@" ;;
esac

# systemd expands $NAME in what it is given to run, and $$ to one $.
for argument; do
    shift
    set -- "$@" "$(printf '%s' "$argument" | sed 's/\$/$$/g')"
done
exec systemd-run --quiet --wait --pipe --collect --property=User=lars --property=Group=lars --property=UMask=0077 \
    --property=LoadCredential=lars.env:/etc/lars/lars.env --property=Environment=LARS_DATA_ROOT=/var/lib/lars \
    --property=Environment=PYTHONSAFEPATH=1 --property=NoNewPrivileges=yes --property=ProtectSystem=strict \
    --property=Delegate=yes --property=ProtectHome=read-only --property=ReadWritePaths=/var/lib/lars \
    /opt/lars/current/venv/bin/python -m service "$@" --env-file '${CREDENTIALS_DIRECTORY}/lars.env'
