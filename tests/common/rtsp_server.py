"""An RTSP camera on loopback: pictures of a folder as H.264, over and over, by GStreamer's server from Debian's packages.

rtsp_server.py PORT PICTURES USER:PASSWORD - prints its port once it listens; ends when its standard input does, or after five minutes.
PORT 0 is any; PICTURES is a pattern such as img/lane000-%03d.jpg, whose numbers begin at 0. Exit code 3: something is not installed.
"""

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError) as error:
    print(f"not installed: {error}", file=sys.stderr)
    sys.exit(3)

port, pictures, login = sys.argv[1:]
Gst.init(None)
for element in ["multifilesrc", "jpegdec", "videoconvert", "x264enc", "rtph264pay"]:
    if Gst.ElementFactory.find(element) is None:
        print(f"not installed: GStreamer's {element}", file=sys.stderr)
        sys.exit(3)

factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f'( multifilesrc location="{pictures}" loop=true start-index=0 caps="image/jpeg,framerate=10/1" ! jpegdec ! videoconvert'
    " ! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 key-int-max=5 ! rtph264pay name=pay0 pt=96 )"
)
factory.set_shared(True)
user, password = login.split(":")
token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", user)
auth = GstRtspServer.RTSPAuth()
auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
auth.add_digest(user, password, token)
permissions = GstRtspServer.RTSPPermissions()
permissions.add_permission_for_role(user, "media.factory.access", True)
permissions.add_permission_for_role(user, "media.factory.construct", True)
factory.set_permissions(permissions)

server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
server.set_auth(auth)
server.get_mount_points().add_factory("/lane", factory)
loop = GLib.MainLoop()
if server.attach(None) == 0:
    sys.exit(f"port {port} cannot be had")
print(server.get_bound_port(), flush=True)
GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
GLib.timeout_add_seconds(300, loop.quit)
loop.run()
