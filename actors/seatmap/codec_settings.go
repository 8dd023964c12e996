package seatmap

func (w *writer) settings(s *Settings) {
	w.text(s.Name).text(s.Venue).text(s.City)
	w.uint(uint64(len(s.Performers)))
	for _, name := range s.Performers {
		w.text(name)
	}
	w.time(s.StartsAt).time(s.OnSaleAt).byte(byte(s.Status)).text(s.Currency)
	w.uint(uint64(len(s.Prices)))
	for _, price := range s.Prices {
		w.int(price)
	}
	w.int(s.HoldTTL).int(int64(s.MaxSeatsPerOrder)).int(int64(s.MaxOrdersPerSession))
	room := &s.WaitingRoom
	w.bool(room.Enabled).int(int64(room.ActiveLimit)).int(room.ActiveTTL).int(int64(room.AdmitPerSecond))
}

func (r *reader) settings() (s Settings) {
	s.Name = r.text()
	s.Venue = r.text()
	s.City = r.text()
	if n := r.count(1); n > 0 {
		s.Performers = make([]string, n)
		for i := range s.Performers {
			s.Performers[i] = r.text()
		}
	}
	s.StartsAt = r.time()
	s.OnSaleAt = r.time()
	s.Status = Status(r.byte())
	s.Currency = r.text()
	if n := r.count(1); n > 0 {
		s.Prices = make([]int64, n)
		for i := range s.Prices {
			s.Prices[i] = r.int()
		}
	}
	s.HoldTTL = r.int()
	s.MaxSeatsPerOrder = int(r.int())
	s.MaxOrdersPerSession = int(r.int())
	s.WaitingRoom.Enabled = r.bool()
	s.WaitingRoom.ActiveLimit = int(r.int())
	s.WaitingRoom.ActiveTTL = r.int()
	s.WaitingRoom.AdmitPerSecond = int(r.int())
	return s
}
