//! Who may post, over HTTP. `src/service/access.rs` has the finer points.

use garita::custody::evidence::{hex, sha256};

use super::camera::{Connection, pictures};
use super::server::Site;

#[test]
fn devices_post_to_their_lanes_and_strangers_nowhere() {
    let device = |id: &str, more: &str| format!("[[device]]\nid = \"{id}\"\nkey_sha256 = \"{}\"\n{more}\n", hex(&sha256(format!("key of {id}").as_bytes())));
    let site = Site::new(2, &(device("every", "") + &device("second", "lanes = [\"lane-1\"]")));
    let server = site.start();
    let picture = pictures("single-").swap_remove(2);
    let ask = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        Connection::open(server.address).and_then(|mut connection| connection.request("POST", path, headers, body)).expect("an answer")
    };
    let frames = |lane: usize| format!("/v1/lanes/lane-{lane}/frames");
    for (lane, header, status) in [
        (0, ("authorization", "Bearer key of every"), 201),
        (1, ("authorization", "Token key of every"), 201),
        (1, ("x-api-key", "key of second"), 201),
        (0, ("x-api-key", "key of second"), 403),
        (0, ("authorization", "Bearer key of nobody"), 401),
        (0, ("authorization", "Basic a2V5"), 401),
        (0, ("accept", "*/*"), 401),
    ] {
        let reply = ask(&frames(lane), &[header], &picture);
        assert_eq!(reply.status, status, "{header:?}: {}", reply.text());
        if status == 201 {
            continue;
        }
        reply.assert_problem();
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{reply:?}");
        assert_eq!(ask(&format!("/v1/lanes/lane-{lane}/triggers"), &[header], &[]).status, status);
    }
    // As Plate Recognizer's clients send it: the lane stands in the form.
    let form = |camera: &str| {
        let camera = format!(
            "--B\r\ncontent-disposition: form-data; name=\"camera_id\"\r\n\r\n{camera}\r\n--B\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"a.jpg\"\r\n\r\n"
        );
        [camera.as_bytes(), &picture, b"\r\n--B--\r\n"].concat()
    };
    let kind = ("content-type", "multipart/form-data; boundary=B");
    for (camera, key, status) in [("lane-1", "Token key of second", 201), ("lane-0", "Token key of second", 403), ("lane-0", "Token nothing", 401)] {
        let reply = ask("/v1/plate-reader/", &[kind, ("authorization", key)], &form(camera));
        assert_eq!(reply.status, status, "{camera} with {key}: {}", reply.text());
    }
    // A stranger's frame is nobody's: it was never looked at, but it was sent, and is counted.
    assert_eq!(server.counts(), [4, 0, 5]);
    // What is there to look at stays open.
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn devices_bring_scans_to_their_portals_and_strangers_ask_nothing() {
    let device = |id: &str, more: &str| format!("[[device]]\nid = \"{id}\"\nkey_sha256 = \"{}\"\n{more}\n", hex(&sha256(format!("key of {id}").as_bytes())));
    let portals = "[[portal]]\nid = \"bridge\"\n[[portal]]\nid = \"yard\"\n";
    let site = Site::new(1, &(portals.to_owned() + &device("every", "") + &device("yard", "portals = [\"yard\"]")));
    let server = site.start();
    let begin = |portal: &str, headers: &[(&str, &str)]| {
        let headers = [headers, &[("upload-complete", "?0")]].concat();
        let path = format!("/v1/portals/{portal}/scans");
        Connection::open(server.address).and_then(|mut connection| connection.request("POST", &path, &headers, &[])).expect("an answer").status
    };
    assert_eq!(begin("bridge", &[("authorization", "Bearer key of every")]), 201);
    assert_eq!(begin("yard", &[("authorization", "Bearer key of yard")]), 201);
    assert_eq!(begin("bridge", &[("authorization", "Bearer key of yard")]), 403);
    assert_eq!(begin("bridge", &[("authorization", "Bearer key of nobody")]), 401);
    assert_eq!(begin("bridge", &[]), 401);
    let called_off = Connection::open(server.address).and_then(|mut connection| connection.request("DELETE", "/v1/uploads/x", &[], &[]));
    assert_eq!(called_off.expect("an answer").status, 401);
}

#[test]
fn keys_stand_in_no_log() {
    let site = Site::new(1, &format!("[[device]]\nid = \"one\"\nkey_sha256 = \"{}\"", hex(&sha256(b"open sesame"))));
    let server = site.start();
    for key in ["Bearer open sesame", "Bearer shut sesame"] {
        let picture = pictures("single-").swap_remove(2);
        let _ = Connection::open(server.address)
            .and_then(|mut connection| connection.request("POST", "/v1/lanes/lane-0/frames", &[("authorization", key)], &picture));
    }
    assert!(server.stop().1);
    assert!(!site.log().contains("sesame"), "{}", site.log());
}
