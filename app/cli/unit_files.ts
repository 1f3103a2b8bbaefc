/** The user that hosts and servers run as. */
const USER = "culvert";

/** Where files of systemd lie in a file system. */
const UNITS = "etc/systemd/system";

/** What systemd forbids a service that only forwards: see systemd.exec(5). */
const HARDENING = `
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
UMask=0077
SystemCallArchitectures=native
# V8 asks for memory protection keys, and gets on without.
SystemCallFilter=@system-service @pkey bpf
SystemCallErrorNumber=EPERM`.trim();

/** Where Deno keeps what it has compiled. */
const CACHE = `
CacheDirectory=culvert
Environment=DENO_DIR=/var/cache/culvert`.trim();

function hostUnit(program: string): string {
  return `[Unit]
Description=Culvert host %i
Documentation=man:culvert-host(1)
ConditionPathExists=/etc/culvert/%i.toml
Wants=culvert-server@%i.service
After=network.target culvert-server@%i.service

[Service]
Type=notify
ExecStart=${program} host --config /etc/culvert/%i.toml --control %i
ExecReload=/bin/kill -HUP $MAINPID
# The keeper, a process of the host's, ends by itself when it has done its duties.
KillMode=process
Restart=on-failure
RestartSec=100ms
WatchdogSec=10
User=${USER}
${CACHE}
AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF
CapabilityBoundingSet=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF
LimitMEMLOCK=infinity
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
ReadWritePaths=/run/culvert /dev/shm -/dev/hugepages
RestrictAddressFamilies=AF_UNIX AF_PACKET AF_NETLINK AF_INET AF_INET6 AF_XDP
${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

const SERVER_SOCKET = `[Unit]
Description=Culvert region %i: where its members join

[Socket]
ListenStream=/run/culvert/%i.sock
FileDescriptorName=socket
SocketUser=${USER}
SocketGroup=${USER}
SocketMode=0660
DirectoryMode=0711
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;

function serverUnit(program: string): string {
  return `[Unit]
Description=Culvert server of region %i
Documentation=man:culvert-server(1)
Requires=culvert-server@%i.socket
After=culvert-server@%i.socket

[Service]
Type=notify
Environment=SERVER_OPTIONS=
EnvironmentFile=-/etc/culvert/%i.server
ExecStart=${program} server -F -S %i $SERVER_OPTIONS
# systemd keeps the memory, so that the next server hands out the same.
FileDescriptorStoreMax=2
NonBlocking=yes
Restart=always
RestartSec=0
User=${USER}
${CACHE}
CapabilityBoundingSet=
LimitNOFILE=65536
PrivateDevices=yes
PrivateNetwork=yes
ReadWritePaths=/run/culvert
RestrictAddressFamilies=AF_UNIX
${HARDENING}

[Install]
WantedBy=multi-user.target
Also=culvert-server@%i.socket
`;
}

/** The settings without one of them. */
function without(settings: string, name: string): string {
  return settings.split("\n").filter((line) => !line.startsWith(`${name}=`)).join("\n");
}

function guestUnit(program: string): string {
  return `[Unit]
Description=Culvert guest
Documentation=man:culvert-guest(1)

[Service]
Type=notify
Environment=GUEST_OPTIONS=--pci=auto
EnvironmentFile=-/etc/culvert/guest
ExecStart=${program} guest $GUEST_OPTIONS
Restart=always
RestartSec=1
WatchdogSec=10
${CACHE}
# It enables and maps a PCI device by sysfs, or has it from vfio-pci.
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_SYS_NICE CAP_IPC_LOCK CAP_SYS_ADMIN CAP_SYS_RAWIO
LimitMEMLOCK=infinity
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
${without(HARDENING, "ProtectKernelTunables")}

[Install]
WantedBy=multi-user.target
`;
}

function metricsUnit(program: string): string {
  return `[Unit]
Description=Culvert metrics for Prometheus
Documentation=man:culvert-metrics(1)
After=network.target

[Service]
Environment=METRICS_OPTIONS=
EnvironmentFile=-/etc/culvert/metrics
ExecStart=${program} metrics $METRICS_OPTIONS
Restart=on-failure
RestartSec=1
User=${USER}
${CACHE}
CapabilityBoundingSet=
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

/**
 * The files of systemd that make culvert a service, by their paths from the root.
 *
 * @param program What starts culvert: an absolute path.
 */
export function unitFiles(program: string): ReadonlyMap<string, string> {
  return new Map([
    [`${UNITS}/culvert-host@.service`, hostUnit(program)],
    [`${UNITS}/culvert-server@.service`, serverUnit(program)],
    [`${UNITS}/culvert-server@.socket`, SERVER_SOCKET],
    [`${UNITS}/culvert-guest.service`, guestUnit(program)],
    [`${UNITS}/culvert-metrics.service`, metricsUnit(program)],
    ["etc/sysusers.d/culvert.conf", `u ${USER} - "Culvert" /run/culvert\n`],
    ["etc/tmpfiles.d/culvert.conf", `d /run/culvert 0711 ${USER} ${USER}\nd /etc/culvert\n`],
  ]);
}
