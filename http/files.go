package http

import "log/slog"

// Every connection takes a descriptor, of which the process has so many. Connections are refused before there is none
// left: without one, nothing of what answers requests could be opened.
const (
	// filesReserved are for connections to the database, to Redis, and for files.
	filesReserved = 512
	// adminConnectionsMax are apart, so that the organiser and health checks come in whatever the public does.
	adminConnectionsMax = 256
)

// capacity is how many connections each listener may have at once, streams among them; 0: no limit.
type capacity struct{ public, admin, streams int }

// fit shares out the files that the process may open, 0 where that is not known. Streams leave room for requests: as much
// as these may want, or a quarter.
func fit(files, streamsMax int) capacity {
	c := capacity{admin: adminConnectionsMax, streams: streamsMax}
	if streamsMax >= 0 {
		c.public = connectionsMax + streamsMax
	}
	if files <= 0 {
		return c
	}
	left := files - min(filesReserved, files/2)
	c.admin = min(c.admin, left/8)
	if left -= c.admin; c.public == 0 || c.public > left {
		c.public = left
	}
	if most := c.public - min(connectionsMax, c.public/4); c.streams < 0 || c.streams > most {
		c.streams = most
	}
	return c
}

// fitFiles lowers what the configuration asks for to what the process may open, and says so.
func (s *Server) fitFiles() {
	files := s.FilesMax
	if files == 0 {
		files = openFilesMax()
	}
	asked := fit(0, s.StreamsMax)
	s.capacity = fit(files, s.StreamsMax)
	if s.StreamsMax = s.capacity.streams; s.capacity != asked {
		s.Logger.Warn("http: the process may open few files (ulimit -n), so that it bears fewer connections", slog.Int("files", files),
			slog.Int("connections", s.capacity.public), slog.Int("streams", s.capacity.streams))
	}
}
