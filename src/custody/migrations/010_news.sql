-- What else screens that show a car are told of: a decision that was taken back, a drawing, a train that has passed or was looked at anew.

CREATE TRIGGER a_car_judged_no_longer AFTER UPDATE OF undone_ms ON finding_disposition BEGIN
  INSERT INTO review_change (car) SELECT id FROM car_case WHERE scan = NEW.scan AND position = NEW.position;
END;
CREATE TRIGGER a_drawn_car AFTER INSERT ON annotation BEGIN
  INSERT INTO review_change (car) SELECT id FROM car_case WHERE scan = NEW.scan AND position = NEW.position;
END;
CREATE TRIGGER a_car_drawn_no_longer AFTER UPDATE OF removed_ms ON annotation BEGIN
  INSERT INTO review_change (car) SELECT id FROM car_case WHERE scan = NEW.scan AND position = NEW.position;
END;
-- Its cars say whether it still passes, and what its papers said of them.
CREATE TRIGGER a_train_that_passed AFTER UPDATE OF state ON scan
WHEN NEW.state IS NOT OLD.state AND (OLD.state = 'passing' OR NEW.state = 'inspected') BEGIN
  INSERT INTO review_change (car) SELECT id FROM car_case WHERE scan = NEW.id ORDER BY id;
END;
