import Linux
import Virtio

extension VhostUserError {
    /// What Firecracker's clients read of it.
    var inFirecrackersWords: String {
        let names: [VhostUserRequest: String] = [
            .getFeatures: "Get features", .setFeatures: "Set features", .setOwner: "Set owner",
            .getProtocolFeatures: "Get protocol features", .setProtocolFeatures: "Set protocol features",
        ]
        let words =
            switch (request, reason) {
            case (nil, .refused(let error)):
                "Vhost-user error: Failed to connect to UDS Unix stream: \(osError(error.errno))"
            case (let request?, _):
                names[request].map { "Vhost-user error: \($0) failed: \(reason)" }
                    ?? "Vhost error: \(self)"
            case (nil, _): "Vhost error: \(reason)"
            }
        return "Vhost user backend error: \(words)"
    }
}
